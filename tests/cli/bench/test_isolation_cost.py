import pytest

from cli.bench.isolation_cost import DecodeTimes, isolation_measurements
from evaluation.bench import NothingMeasured


def test_figures_of_two_runs() -> None:
    times = {"JP2, 2 Mpx": DecodeTimes(isolated=(0.3, 0.5), in_process=(0.2, 0.4))}
    figures = {m.name: m for m in isolation_measurements(starts=[0.1, 0.2], times=times)}
    assert figures["a worker's start"].values == pytest.approx((100, 200))
    assert figures["JP2, 2 Mpx: isolated / in process"].values == pytest.approx((1.5, 1.25))
    assert figures["JP2, 2 Mpx: isolation adds"].values == pytest.approx((100, 100))
    assert [m.unit for m in figures.values()] == ["ms", "", "ms"]


def test_without_times_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        isolation_measurements(starts=[], times={})
