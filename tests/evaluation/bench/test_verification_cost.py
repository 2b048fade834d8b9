import pytest

from evaluation.bench import (
    NothingMeasured,
    VerificationCase,
    verification_measurements,
    verification_times,
)


def test_figures_of_two_runs() -> None:
    ratio, full = verification_measurements({"a chain": ((0.001, 0.003), (0.002, 0.004))})
    assert ratio.values == pytest.approx((3.0, 2.0))
    assert full.values == pytest.approx((3000, 4000))
    assert [(one.unit, one.load) for one in (ratio, full)] == [("", "a chain"), ("us", "a chain")]


def test_without_times_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        verification_measurements({"a chain": ()})


def test_both_sides_run_in_every_run() -> None:
    calls: list[str] = []
    case = VerificationCase("a chain", lambda: calls.append("bare"), lambda: calls.append("full"))
    pairs = verification_times(case, runs=2, repeats=3)
    assert len(pairs) == 2
    assert calls == (["bare"] * 3 + ["full"] * 3) * 3
