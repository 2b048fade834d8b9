from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.match.error_bounds import FmrCurve, fmr_curve
from evaluation.match.impostor_scores import ImpostorScores

THRESHOLDS = np.round(np.arange(-1.0, 1.005, 0.05), 2)


def impostors(
    persons: int, photos: int, *, seed: int, person_spread: float = 0.0, groups: int = 1
) -> ImpostorScores:
    """Every photo of every person against every photo of every other of the group."""
    rng = np.random.default_rng(seed)
    likeness = rng.normal(scale=person_spread, size=persons)
    scores, first, second = [], [], []
    for one, other in combinations(range(persons), 2):
        if one % groups != other % groups:
            continue
        for _ in range(photos * photos):
            scores.append(rng.normal(scale=0.1) + likeness[one] + likeness[other])
            first.append(one)
            second.append(other)
    return ImpostorScores(
        np.clip(scores, -1.0, 1.0),
        np.array(first, dtype=np.int64),
        np.array(second, dtype=np.int64),
        np.arange(persons, dtype=np.int64) % groups,
    )


def curve_of(scores: ImpostorScores, *, resamples: int = 200, seed: int = 1) -> FmrCurve:
    return fmr_curve(
        scores,
        thresholds=THRESHOLDS,
        resamples=resamples,
        confidence=0.95,
        rng=np.random.default_rng(seed),
    )


def test_the_rate_is_the_share_of_matches_where_all_persons_have_as_many_photos() -> None:
    scores = impostors(12, 2, seed=1)
    curve = curve_of(scores)
    for threshold, rate in zip(curve.thresholds, curve.rates, strict=True):
        assert rate == pytest.approx(float((scores.scores >= threshold).mean()))


def test_a_person_with_many_photos_weighs_no_more_than_others() -> None:
    # Persons 0 and 1 match in all of 100 comparisons; the two other pairs never do.
    scores = ImpostorScores(
        np.array([0.9] * 100 + [0.0, 0.0]),
        np.array([0] * 100 + [0, 1]),
        np.array([1] * 100 + [2, 2]),
        np.zeros(3, dtype=np.int64),
    )
    curve = curve_of(scores)
    assert curve.rates[np.searchsorted(THRESHOLDS, 0.5)] == pytest.approx(1 / 3)
    assert curve.comparisons == 102
    assert curve.person_pairs == 3


def test_without_a_false_match_it_is_the_rule_of_three_on_pairs_of_persons() -> None:
    curve = curve_of(impostors(40, 2, seed=2))
    pairs = 40 * 39 // 2
    assert curve.person_pairs == pairs
    assert curve.rates[-1] == 0.0
    assert 1 - 0.05 ** (1 / pairs) <= curve.upper_bounds[-1]
    assert curve.upper_bounds[-1] == pytest.approx(3 / pairs, rel=0.06)


def test_more_photos_of_the_same_persons_support_no_lower_bound() -> None:
    few, many = (curve_of(impostors(15, photos, seed=3)).upper_bounds[-1] for photos in (1, 4))
    assert few == many


def test_where_everything_matches_the_bound_is_1() -> None:
    curve = curve_of(impostors(8, 1, seed=4))
    assert curve.rates[0] == 1.0
    assert curve.upper_bounds[0] == 1.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(4, 12), st.integers(1, 2))
def test_bounds_never_rise_and_never_undercut_the_rate(seed: int, persons: int, groups: int) -> None:
    curve = curve_of(impostors(persons, 2, seed=seed, person_spread=0.1, groups=groups), resamples=100)
    assert np.all(np.diff(curve.upper_bounds) <= 0)
    assert np.all(curve.upper_bounds >= curve.rates)
    assert np.all(curve.upper_bounds >= curve.group_rates.max(axis=0))
    assert np.all((curve.upper_bounds > 0) & (curve.upper_bounds <= 1))


def test_look_alikes_make_the_bound_wider_than_independent_comparisons_would() -> None:
    curve = curve_of(impostors(25, 1, seed=5, person_spread=0.15), resamples=1000)
    index = int(np.searchsorted(THRESHOLDS, 0.2))
    rate, pairs = curve.rates[index], curve.person_pairs
    independent = rate + 1.645 * np.sqrt(rate * (1 - rate) / pairs)
    assert 0.05 < rate < 0.5
    assert curve.upper_bounds[index] > independent + 0.02


@pytest.mark.parametrize(("persons", "spread"), [(20, 0.08), (20, 0.15), (40, 0.08)])
def test_the_bound_has_its_nominal_coverage_on_new_persons(persons: int, spread: float) -> None:
    """One-sided 95 %: the true rate may exceed the bound in 5 % of 60 data sets, and by chance in 8."""
    crowds = [impostors(100, 1, seed=900 + turn, person_spread=spread) for turn in range(3)]
    above = np.zeros(THRESHOLDS.size)
    truth = np.mean([curve_of(crowd, resamples=2).rates for crowd in crowds], axis=0)
    for seed in range(60):
        above += truth > curve_of(impostors(persons, 1, seed=seed, person_spread=spread)).upper_bounds
    assert above.max() <= 8


def test_the_worst_group_sets_the_bound() -> None:
    # Group 0 never matches, group 1 always does.
    scores = ImpostorScores(
        np.array([0.0, 0.0, 0.0, 0.9]),
        np.array([0, 0, 1, 3]),
        np.array([1, 2, 2, 4]),
        np.array([0, 0, 0, 1, 1]),
    )
    curve = curve_of(scores)
    index = int(np.searchsorted(THRESHOLDS, 0.5))
    assert curve.group_rates[:, index].tolist() == [0.0, 1.0]
    assert curve.upper_bounds[index] == 1.0


def test_the_same_seed_gives_the_same_bounds() -> None:
    scores = impostors(15, 1, seed=6, person_spread=0.1)
    np.testing.assert_array_equal(curve_of(scores).upper_bounds, curve_of(scores).upper_bounds)


@pytest.mark.parametrize(
    ("scores", "first", "second", "groups"),
    [
        ([], [], [], [0, 0]),
        ([0.1], [0], [0], [0]),
        ([0.1], [0], [2], [0, 0]),
        ([0.1], [0], [1], [0, 1]),
        ([0.1, 0.2], [0], [1], [0, 0]),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(
    scores: list[float], first: list[int], second: list[int], groups: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        ImpostorScores(
            np.array(scores, dtype=np.float64),
            np.array(first, dtype=np.int64),
            np.array(second, dtype=np.int64),
            np.array(groups, dtype=np.int64),
        )
