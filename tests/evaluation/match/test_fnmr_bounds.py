import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.binomial import exact_interval
from evaluation.match.error_bounds import FnmrCurve, GenuineScores, fnmr_curve

THRESHOLDS = np.round(np.arange(-1.0, 1.105, 0.05), 2)


def genuine(
    persons: int, *, seed: int, spread: float = 0.1, noise: float = 0.1, most: int = 10
) -> GenuineScores:
    """Persons with 1..``most`` comparisons each, with a level drawn around 0.6."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, persons)
    who = np.repeat(np.arange(persons, dtype=np.int64), counts)
    level = rng.normal(0.6, spread, persons)
    scores = np.clip(level[who] + rng.normal(0.0, noise, who.size), -1.0, 1.0)
    return GenuineScores(scores, who, persons)


def draws(persons: int, *, seed: int = 1, samples: int = 300) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.multinomial(persons, np.full(persons, 1.0 / persons), size=samples).astype(np.uint8)


def curve_of(scores: GenuineScores, *, seed: int = 1) -> FnmrCurve:
    return fnmr_curve(scores, thresholds=THRESHOLDS, draws=draws(scores.persons, seed=seed), confidence=0.95)


def test_the_rate_is_the_share_below_the_threshold() -> None:
    scores = genuine(20, seed=1)
    curve = curve_of(scores)
    for threshold, rate in zip(curve.thresholds, curve.rates, strict=True):
        assert rate == pytest.approx(float((scores.scores < threshold).mean()))
    assert curve.comparisons == scores.scores.size
    assert curve.persons == 20


def test_a_score_at_the_threshold_is_a_match() -> None:
    scores = GenuineScores(np.array([0.5, 0.5]), np.array([0, 1]), 2)
    curve = curve_of(scores)
    index = int(np.searchsorted(THRESHOLDS, 0.5))
    assert (curve.rates[index], curve.rates[index + 1]) == (0.0, 1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 15))
def test_intervals_hold_the_rate_and_never_fall_with_the_threshold(seed: int, persons: int) -> None:
    curve = curve_of(genuine(persons, seed=seed))
    assert np.all(curve.lower <= curve.rates + 1e-12)
    assert np.all(curve.upper >= curve.rates - 1e-12)
    assert np.all(np.diff(curve.lower) >= 0)
    assert np.all(np.diff(curve.upper) >= 0)
    assert np.all((curve.lower >= 0) & (curve.upper <= 1))


def test_without_a_miss_more_photos_of_the_same_persons_prove_little() -> None:
    # Each person always scores the same, so that all comparisons of a person fail together.
    scores = np.repeat(np.linspace(0.5, 0.9, 10), 50)
    who = np.repeat(np.arange(10, dtype=np.int64), 50)
    curve = curve_of(GenuineScores(scores, who, 10))
    index = int(np.searchsorted(THRESHOLDS, 0.3))
    assert curve.rates[index] == 0.0
    # Of 10 independent comparisons the exact interval ends at 0.31, of 500 at 0.007.
    assert curve.upper[index] > 0.3


def test_independent_comparisons_count_in_full() -> None:
    scores = genuine(60, seed=3, spread=0.0, most=1)
    index = int(np.searchsorted(THRESHOLDS, 0.6))
    curve = curve_of(scores)
    _, high = exact_interval(curve.rates[[index]], np.array([60.0]), confidence=0.95)
    assert high[0] <= curve.upper[index] <= high[0] + 0.08


@pytest.mark.parametrize(("persons", "spread", "noise", "most"), [(20, 0.2, 0.05, 20), (30, 0.02, 0.15, 10)])
def test_the_interval_has_its_nominal_coverage_on_new_persons(
    persons: int, spread: float, noise: float, most: int
) -> None:
    """Each end may miss in 2.5 % of 60 data sets, and by chance in 6."""
    crowd = genuine(100_000, seed=99, spread=spread, noise=noise, most=most).scores
    truth = np.array([(crowd < threshold).mean() for threshold in THRESHOLDS])
    low, high = np.zeros(THRESHOLDS.size), np.zeros(THRESHOLDS.size)
    for seed in range(60):
        curve = curve_of(genuine(persons, seed=seed, spread=spread, noise=noise, most=most), seed=seed)
        low += truth < curve.lower
        high += truth > curve.upper
    assert low.max() <= 6
    assert high.max() <= 6


def test_the_exact_interval_is_that_of_the_books() -> None:
    # Clopper and Pearson, 1934: 0 of 10, 2 of 10, 10 of 10 at 95 %.
    low, high = exact_interval(np.array([0.0, 0.2, 1.0]), np.full(3, 10.0), confidence=0.95)
    assert low == pytest.approx([0.0, 0.0252, 0.6915], abs=1e-4)
    assert high == pytest.approx([0.3085, 0.5561, 1.0], abs=1e-4)


def test_samples_without_a_genuine_comparison_are_ignored() -> None:
    scores = GenuineScores(np.array([0.5, 0.6]), np.array([0, 0]), 3)
    curve = fnmr_curve(
        scores, thresholds=THRESHOLDS, draws=np.array([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]]), confidence=0.95
    )
    assert np.isnan(curve.resampled_rates[:, 0]).all()
    assert not np.isnan(curve.resampled_rates[:, 1]).any()
    assert (curve.persons, curve.comparisons) == (1, 2)
    index = int(np.searchsorted(THRESHOLDS, 0.4))
    assert curve.upper[index] > 0.9


@pytest.mark.parametrize(
    ("scores", "person", "persons"), [([], [], 2), ([0.1], [0, 1], 2), ([0.1], [2], 2), ([0.1], [-1], 2)]
)
def test_comparisons_that_make_no_sense_are_refused(
    scores: list[float], person: list[int], persons: int
) -> None:
    with pytest.raises(ValueError, match=r"."):
        GenuineScores(np.array(scores, dtype=np.float64), np.array(person, dtype=np.int64), persons)
