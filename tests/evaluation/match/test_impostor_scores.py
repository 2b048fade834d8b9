import numpy as np
import pytest

from evaluation.match import comparisons as comparisons_module
from evaluation.match.comparisons import Comparisons, compare_all
from evaluation.match.error_bounds import FmrCurve, fmr_curve
from evaluation.match.impostor_scores import THRESHOLDS, ImpostorScores, PersonPairs
from tests.evaluation.match.crowds import crowd


def curve_of(comparisons: Comparisons) -> FmrCurve:
    return fmr_curve(
        comparisons.impostors,
        thresholds=THRESHOLDS,
        resamples=400,
        confidence=0.95,
        rng=np.random.default_rng(1),
    )


def many(*, kept: int, apart: int = 0) -> Comparisons:
    run, _ = crowd(persons=120, photos=2, seed=4, spread=0.9, apart=apart)
    return compare_all(run.templates, kept=kept)


@pytest.mark.parametrize("apart", [0, 50])
def test_counted_comparisons_give_the_same_rates_and_nearly_the_same_bounds(
    monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    whole = curve_of(many(kept=10**6, apart=apart))
    monkeypatch.setattr(comparisons_module, "_BLOCK", 37)
    comparisons = many(kept=2000, apart=apart)
    counted = comparisons.impostors.counted
    assert counted is not None
    assert 0 < comparisons.impostors.scores.size <= 2000
    part = curve_of(comparisons)
    assert part.comparisons == whole.comparisons
    assert part.person_pairs == whole.person_pairs
    # Cosines in single precision may reach one threshold more.
    np.testing.assert_allclose(part.rates, whole.rates, atol=1e-4)
    np.testing.assert_allclose(part.group_rates, whole.group_rates, atol=4e-4)
    # Above the limit every comparison is kept.
    above = slice(counted.from_step, None)
    np.testing.assert_allclose(part.rates[above], whole.rates[above], atol=1e-12)
    np.testing.assert_allclose(part.upper_bounds[above], whole.upper_bounds[above], rtol=1e-5)
    some = (whole.rates > 0.0) & (whole.rates < 0.5)
    assert counted.from_step > np.flatnonzero(some)[0]
    np.testing.assert_allclose(part.upper_bounds[some], whole.upper_bounds[some], rtol=0.08)
    np.testing.assert_allclose(part.lower_bounds[some], whole.lower_bounds[some], rtol=0.08, atol=1e-4)


def test_blocks_compare_each_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons_module, "_BLOCK", 5)
    run, _ = crowd(persons=9, photos=3, seed=2, apart=4)
    found = compare_all(run.templates, unsure=[frozenset({"p005", "p007"})])
    stack = np.stack([each.embedding for each in run.templates]).astype(np.float64)
    expected = [
        float(stack[one] @ stack[other])
        for one in range(27)
        for other in range(one)
        if one // 3 != other // 3 and (one // 3 < 4) == (other // 3 < 4) and {one // 3, other // 3} != {5, 7}
    ]
    np.testing.assert_allclose(np.sort(found.impostors.scores), np.sort(expected), atol=1e-7)
    assert found.impostors.weighted()[1].count == 4 * 3 // 2 + 5 * 4 // 2 - 1


def test_a_bound_below_the_rate_falls_with_the_threshold() -> None:
    curve = curve_of(many(kept=2000))
    assert np.all(np.diff(curve.lower_bounds) <= 0)
    assert np.all(curve.lower_bounds <= curve.rates + 1e-9)
    assert curve.lower_bounds[-1] == 0.0


def test_pairs_of_persons_are_counted_alike_whether_they_are_listed_or_not() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2])
    omitted = np.array([[0, 2]])
    closed = PersonPairs(groups, omitted=omitted)
    listed = PersonPairs(groups, listed=np.array([[0, 1], [1, 2], [3, 4]]))
    draws = np.random.default_rng(3).integers(0, 4, (7, 6)).astype(np.uint8)
    assert closed.group_pairs.tolist() == listed.group_pairs.tolist() == [2, 1]
    assert closed.degrees.tolist() == listed.degrees.tolist() == [1, 2, 1, 1, 1, 0]
    assert closed.persons == listed.persons == 5
    np.testing.assert_allclose(closed.totals(draws), listed.totals(draws))
    one = draws[0].astype(int)
    assert closed.totals(draws)[0] == one[0] * one[1] + one[1] * one[2] + one[3] * one[4]


def test_weights_of_a_list_are_shared_by_the_comparisons_of_a_pair() -> None:
    first, second = np.array([0, 1, 1]), np.array([1, 0, 2])
    scores = ImpostorScores(np.array([0.1, 0.2, 0.3]), first, second, np.zeros(3, np.int64))
    weights, pairs = scores.weighted()
    assert weights.tolist() == [0.5, 0.5, 1.0]
    assert pairs.count == 2
