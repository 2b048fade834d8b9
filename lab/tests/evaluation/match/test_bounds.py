"""The bounds of false matches and non-matches, the operating points, and the calibration."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.evaluation.binomial import exact_interval
from lab.evaluation.match import comparisons as comparisons_module
from lab.evaluation.match.calibration import (
    calibrate,
    choose_points,
    common_embedder,
    measure_comparisons,
    render_calibration,
    without_folder,
)
from lab.evaluation.match.comparisons import Comparisons, compare_all
from lab.evaluation.match.error_bounds import (
    FmrCurve,
    FnmrCurve,
    GenuineScores,
    fmr_curve,
    fnmr_curve,
    persons_needed,
)
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.match.impostor_scores import THRESHOLDS as EVERY_THRESHOLD
from lab.evaluation.match.impostor_scores import ImpostorScores, PersonPairs
from lab.evaluation.match.operating_points import NotSupported, OperatingPoint, operating_point, samples_at
from lab.evaluation.match.photos import EmbeddersDiffer
from lab.tests.evaluation.match.reports import crowd, pack_of
from matcher.similarity import fmr_bound
from vision.packs.calibration import CalibrationRecord, MatchCalibration, ScorePoint, parse_calibration

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


@pytest.mark.parametrize(("persons", "spread"), [(20, 0.15), (40, 0.08)])
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
    one, other, group = (np.array(each, np.int64) for each in (first, second, groups))
    with pytest.raises(ValueError, match=r"."):
        ImpostorScores(np.array(scores, np.float64), one, other, group)


FNMR_THRESHOLDS = np.round(np.arange(-1.0, 1.105, 0.05), 2)


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


def draws(persons: int, *, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.multinomial(persons, np.full(persons, 1.0 / persons), size=300).astype(np.uint8)


def fnmr_curve_of(scores: GenuineScores, *, seed: int = 1) -> FnmrCurve:
    drawn = draws(scores.persons, seed=seed)
    return fnmr_curve(scores, thresholds=FNMR_THRESHOLDS, draws=drawn, confidence=0.95)


def test_the_rate_is_the_share_below_the_threshold() -> None:
    scores = genuine(20, seed=1)
    curve = fnmr_curve_of(scores)
    for threshold, rate in zip(curve.thresholds, curve.rates, strict=True):
        assert rate == pytest.approx(float((scores.scores < threshold).mean()))
    assert curve.comparisons == scores.scores.size
    assert curve.persons == 20


def test_a_score_at_the_threshold_is_a_match() -> None:
    scores = GenuineScores(np.array([0.5, 0.5]), np.array([0, 1]), 2)
    curve = fnmr_curve_of(scores)
    index = int(np.searchsorted(FNMR_THRESHOLDS, 0.5))
    assert (curve.rates[index], curve.rates[index + 1]) == (0.0, 1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 15))
def test_intervals_hold_the_rate_and_never_fall_with_the_threshold(seed: int, persons: int) -> None:
    curve = fnmr_curve_of(genuine(persons, seed=seed))
    assert np.all(curve.lower <= curve.rates + 1e-12)
    assert np.all(curve.upper >= curve.rates - 1e-12)
    assert np.all(np.diff(curve.lower) >= 0)
    assert np.all(np.diff(curve.upper) >= 0)
    assert np.all((curve.lower >= 0) & (curve.upper <= 1))


def test_without_a_miss_more_photos_of_the_same_persons_prove_little() -> None:
    # Each person always scores the same, so that all comparisons of a person fail together.
    scores = np.repeat(np.linspace(0.5, 0.9, 10), 50)
    who = np.repeat(np.arange(10, dtype=np.int64), 50)
    curve = fnmr_curve_of(GenuineScores(scores, who, 10))
    index = int(np.searchsorted(FNMR_THRESHOLDS, 0.3))
    assert curve.rates[index] == 0.0
    # Of 10 independent comparisons the exact interval ends at 0.31, of 500 at 0.007.
    assert curve.upper[index] > 0.3


def test_independent_comparisons_count_in_full() -> None:
    scores = genuine(60, seed=3, spread=0.0, most=1)
    index = int(np.searchsorted(FNMR_THRESHOLDS, 0.6))
    curve = fnmr_curve_of(scores)
    _, high = exact_interval(curve.rates[[index]], np.array([60.0]), confidence=0.95)
    assert high[0] <= curve.upper[index] <= high[0] + 0.08


@pytest.mark.parametrize(("persons", "spread", "noise", "most"), [(20, 0.2, 0.05, 20), (30, 0.02, 0.15, 10)])
def test_the_interval_has_its_nominal_coverage_on_new_persons(
    persons: int, spread: float, noise: float, most: int
) -> None:
    """Each end may miss in 2.5 % of 60 data sets, and by chance in 6."""
    crowd = genuine(100_000, seed=99, spread=spread, noise=noise, most=most).scores
    truth = np.array([(crowd < threshold).mean() for threshold in FNMR_THRESHOLDS])
    low, high = np.zeros(FNMR_THRESHOLDS.size), np.zeros(FNMR_THRESHOLDS.size)
    for seed in range(60):
        curve = fnmr_curve_of(genuine(persons, seed=seed, spread=spread, noise=noise, most=most), seed=seed)
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
        scores,
        thresholds=FNMR_THRESHOLDS,
        draws=np.array([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]]),
        confidence=0.95,
    )
    assert np.isnan(curve.resampled_rates[:, 0]).all()
    assert not np.isnan(curve.resampled_rates[:, 1]).any()
    assert (curve.persons, curve.comparisons) == (1, 2)
    index = int(np.searchsorted(FNMR_THRESHOLDS, 0.4))
    assert curve.upper[index] > 0.9


@pytest.mark.parametrize(
    ("scores", "person", "persons"), [([], [], 2), ([0.1], [0, 1], 2), ([0.1], [2], 2), ([0.1], [-1], 2)]
)
def test_comparisons_that_make_no_sense_are_refused_for_fnmr(
    scores: list[float], person: list[int], persons: int
) -> None:
    with pytest.raises(ValueError, match=r"."):
        GenuineScores(np.array(scores, dtype=np.float64), np.array(person, dtype=np.int64), persons)


def impostors_curve_of(comparisons: Comparisons) -> FmrCurve:
    return fmr_curve(
        comparisons.impostors,
        thresholds=EVERY_THRESHOLD,
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
    whole = impostors_curve_of(many(kept=10**6, apart=apart))
    monkeypatch.setattr(comparisons_module, "_BLOCK", 37)
    comparisons = many(kept=2000, apart=apart)
    counted = comparisons.impostors.counted
    assert counted is not None
    assert 0 < comparisons.impostors.scores.size <= 2000
    part = impostors_curve_of(comparisons)
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
    curve = impostors_curve_of(many(kept=2000))
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


BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


@pytest.mark.parametrize(("max_fmr", "persons"), [(0.1, 9), (1e-2, 26), (1e-6, 2450)])
def test_persons_that_a_rate_needs(max_fmr: float, persons: int) -> None:
    assert persons_needed(max_fmr, confidence=0.95) == persons
    pairs = persons * (persons - 1) / 2
    assert 3 / pairs == pytest.approx(max_fmr, rel=0.2)


@pytest.mark.parametrize("persons", [25, 26])
def test_a_rate_is_distinguished_from_the_number_of_persons_on_that_it_needs(persons: int) -> None:
    # Maximally different persons: at the highest threshold none match.
    _, comparisons = crowd(persons=persons, photos=1, seed=2)
    fmr, _ = BOOTSTRAP.curves(comparisons)
    point = operating_point(1e-2, fmr=fmr, fnmr=None)
    assert isinstance(point, OperatingPoint) is (persons >= persons_needed(1e-2, confidence=0.95))
    if isinstance(point, NotSupported):
        assert point.persons_needed == 26
    else:
        assert point.measured.fnmr is None


def test_the_two_thresholds_are_the_lowest_that_keep_the_rate() -> None:
    _, comparisons = crowd(persons=40, photos=3, seed=3, spread=1.0)
    fmr, fnmr = BOOTSTRAP.curves(comparisons)
    for target in (0.1, 1e-2):
        point = operating_point(target, fmr=fmr, fnmr=fnmr)
        assert isinstance(point, OperatingPoint)
        index = int(np.searchsorted(fmr.thresholds, point.measured.threshold))
        assert fmr.rates[index] <= target < fmr.rates[index - 1]
        index = int(np.searchsorted(fmr.thresholds, point.bounded.threshold))
        assert fmr.upper_bounds[index] <= target < fmr.upper_bounds[index - 1]
        assert point.bounded.threshold >= point.measured.threshold
        assert point.measured.fnmr is not None
        assert point.bounded.fnmr is not None
        assert point.bounded.fnmr.rate >= point.measured.fnmr.rate
        assert point.measured.upper_bound >= point.measured.fmr


def test_that_the_threshold_was_set_on_the_data_widens_the_interval() -> None:
    _, comparisons = crowd(persons=40, photos=3, seed=3, spread=1.0)
    fmr, fnmr = BOOTSTRAP.curves(comparisons)
    assert fnmr is not None
    point = operating_point(1e-2, fmr=fmr, fnmr=fnmr)
    assert isinstance(point, OperatingPoint)
    interval = point.measured.fnmr
    index = int(np.searchsorted(fmr.thresholds, point.measured.threshold))
    assert interval is not None
    assert interval.lower <= fnmr.lower[index]
    assert interval.upper >= fnmr.upper[index]
    samples = samples_at(1e-2, fmr=fmr, fnmr=fnmr)
    assert samples.shape == (fmr.draws.shape[0],)
    # Each sample keeps the rate with its own threshold.
    assert np.unique(samples).size > 10


CURVE_THRESHOLDS = np.round(np.arange(-1.0, 1.001, 0.02), 2)


def made_of(points: tuple[tuple[float, float], ...], note: str = "") -> MatchCalibration:
    return MatchCalibration(
        points=tuple(ScorePoint(cosine, bound, fnmr=0.25) for cosine, bound in points),
        record=CalibrationRecord(
            provenance="measured",
            dataset="made for a test",
            identities=3,
            genuine_pairs=4,
            impostor_pairs=5,
            command="none",
            failures_to_acquire=0,
            note=note,
        ),
        embedder_sha256="ab" * 32,
    )


@st.composite
def falling_bounds(draw: st.DrawFn) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    exponents = draw(
        st.lists(st.floats(-5.0, 0.0), min_size=CURVE_THRESHOLDS.size - 1, max_size=CURVE_THRESHOLDS.size - 1)
    )
    bounds = 10.0 ** np.array(sorted(exponents, reverse=True))
    return np.append(bounds, bounds[-1])


@given(falling_bounds(), st.integers(0, 10_000))
def test_the_line_never_runs_below_the_measured_bounds(
    bounds: np.ndarray[tuple[int], np.dtype[np.float64]], place: int
) -> None:
    calibration = made_of(choose_points(CURVE_THRESHOLDS, bounds))
    cosine = -1.0 + 2.0 * place / 10_000
    index = max(0, int(np.searchsorted(CURVE_THRESHOLDS, cosine, side="right")) - 1)
    assert fmr_bound(cosine, calibration=calibration) >= bounds[index] * (1 - 1e-12)


@given(falling_bounds())
def test_the_lowest_bound_is_kept_to_three_digits(
    bounds: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    points = choose_points(CURVE_THRESHOLDS, bounds)
    assert bounds[-1] * (1 - 1e-12) <= points[-1][1] <= bounds[-1] * 1.011


@pytest.mark.parametrize("fmr", [1e-1, 1e-6])
def test_the_rate_of_a_policy_is_reached_where_the_bound_first_reaches_it(fmr: float) -> None:
    thresholds = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    bounds = np.array([1.0, fmr * 1.2, fmr, fmr / 2, fmr / 3, fmr / 3])
    assert (0.3, fmr) in choose_points(thresholds, bounds)


def test_points_are_few_and_close_to_the_curve() -> None:
    thresholds = np.round(np.arange(-1.0, 1.0001, 0.001), 3)
    bounds = np.maximum(1e-3, 10.0 ** (-5 * np.clip(thresholds, 0, 1)))
    points = choose_points(thresholds, bounds)
    assert len(points) < 150
    calibration = made_of(points)
    for cosine in np.arange(0.1, 0.6, 0.01):
        assert fmr_bound(float(cosine), calibration=calibration) <= 10 ** (-5 * cosine) * 1.1


def test_thresholds_that_end_too_early_are_refused() -> None:
    with pytest.raises(ValueError, match="end before"):
        choose_points(np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.5, 0.1]))


def test_a_flat_curve_gives_one_point() -> None:
    assert choose_points(np.array([0.0, 0.5, 1.0]), np.array([0.25, 0.25, 0.25])) == ((0.5, 0.25),)


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8")), st.lists(st.floats(1e-6, 1.0), min_size=1, unique=True))
def test_written_points_are_read_back(note: str, bounds: list[float]) -> None:
    falling = sorted(bounds, reverse=True)
    cosines = np.linspace(-1.0, 1.0, len(falling) + 1)[1:]
    points = tuple((float(c), b) for c, b in zip(cosines, falling, strict=True))
    calibration = made_of(points, note=note)
    assert parse_calibration(render_calibration(calibration), source="test") == calibration


def test_a_point_without_fnmr_is_read_back_without() -> None:
    calibration = MatchCalibration(
        points=(ScorePoint(0.5, 0.1),), record=made_of(((0.5, 0.1),)).record, embedder_sha256="0" * 64
    )
    back = parse_calibration(render_calibration(calibration), source="test")
    assert back.points[0].fnmr is None
    assert math.isclose(back.points[0].fmr_upper_bound, 0.1)


def calibrated(*, persons: int, seeds: tuple[int, ...] = (1,)) -> MatchCalibration:
    measurements = []
    for seed in seeds:
        run, comparisons = crowd(persons=persons, photos=3, seed=seed)
        measurements.append(
            measure_comparisons(run, comparisons, pack=f"pack{seed}", resamples=200, confidence=0.95, seed=1)
        )
    return calibrate(measurements, embedder_sha256="ab" * 32, dataset="made for a test", command="none")


def test_thresholds_end_above_every_cosine() -> None:
    assert EVERY_THRESHOLD[0] == -1.0
    assert np.all(EVERY_THRESHOLD[-2:] > 1.0)
    assert np.all(np.diff(EVERY_THRESHOLD) > 0)


def test_the_record_states_the_compared_data() -> None:
    record = calibrated(persons=20).record
    assert record.provenance == "measured"
    assert (record.identities, record.genuine_pairs) == (20, 20 * 3)
    assert record.impostor_pairs == 190 * 9
    assert record.failures_to_acquire == 0
    assert "190 pairs of persons" in record.note


def test_without_pairs_of_one_person_no_misses_are_reported() -> None:
    run, comparisons = crowd(persons=12, photos=1, seed=1)
    measurement = measure_comparisons(run, comparisons, pack="p", resamples=200, confidence=0.95, seed=1)
    calibration = calibrate([measurement], embedder_sha256="ab" * 32, dataset="d", command="c")
    assert {point.fnmr for point in calibration.points} == {None}
    assert {point.fnmr is None for point in calibrated(persons=12).points} == {False}


def test_more_persons_support_a_lower_bound() -> None:
    few, many = calibrated(persons=10), calibrated(persons=40)
    assert few.lowest_bound == pytest.approx(3 / 45, rel=0.3)
    assert many.lowest_bound == pytest.approx(3 / 780, rel=0.15)


def test_of_several_packs_the_worst_counts_at_every_cosine() -> None:
    both = calibrated(persons=15, seeds=(1, 2))
    assert "Pack pack1:" in both.record.note
    assert "Pack pack2:" in both.record.note
    alone = [calibrated(persons=15, seeds=(seed,)) for seed in (1, 2)]
    for point in both.points:
        for one in alone:
            assert fmr_bound(point.cosine, calibration=one) <= point.fmr_upper_bound * 1.0001


def test_packs_must_share_their_embedder() -> None:
    assert common_embedder([pack_of("ab" * 32), pack_of("ab" * 32)]) == "ab" * 32
    with pytest.raises(EmbeddersDiffer, match="each pack separately"):
        common_embedder([pack_of("ab" * 32), pack_of("cd" * 32)])


def test_folders_are_not_named() -> None:
    assert without_folder("open:/srv/secret") == "open:DIR"
    assert without_folder("embedded") == "embedded"
