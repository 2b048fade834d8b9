"""FMR over all pairs, within sources and within groups, and FNMR; calibrations from them, and their tests.

The tests are on people from whom neither threshold nor cohort nor calibration was made. People, not photos,
are divided into folds. The thresholds for a fold are set on all pairs of people in the other folds, as those
of a packaged calibration are. The photos of the fold are then compared with each other, with scores
normalised by a cohort of the people in the other folds. So a threshold is never tested on people from whom it
was made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from lab.evaluation.match.calibration import choose_points
from lab.evaluation.match.error_bounds import FmrCurve, GenuineScores, fmr_curve, fnmr_curve
from lab.evaluation.match.impostor_scores import ImpostorScores
from lab.studies.photo_match.cohort import fit_cohort
from lab.studies.photo_match.scores import (
    DIRECTIONS,
    PairScores,
    TemplateSet,
    joined,
    one_of_each_person,
    score_pairs,
)
from matcher import threshold_cosine
from vision.packs import CalibrationRecord, MatchCalibration, ScorePoint, TemplateForm
from vision.packs.calibration import ScanRange

CONFIDENCE: Final = 0.95
LEAST_MATCHES: Final = 30
"""A group's bound is measured down to this many matching pairs, where it is about 1.5 times the rate."""
LEAST_OF_GROUPS: Final = 1e-5
"""Lowest bound within groups: beyond two and a half decades of it a line says nothing."""
_SLOPE: Final = (1e-2, 1e-3)
"""The line below a group's measured bounds falls as FMR within all groups does between these rates."""
_RESAMPLING_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class BoundedRate:
    """FMR at a threshold.

    Attributes:
        rate: The rate, as the mean over pairs of people.
        bound: The one-sided upper bound over people.
        lowest_bound: The lowest bound that these people can support, with any scores.
    """

    rate: float
    bound: float
    lowest_bound: float

    @property
    def supported(self) -> bool:
        """Whether the people suffice to show such a rate."""
        return self.rate >= self.lowest_bound


@dataclass(frozen=True, slots=True)
class GroupRates:
    """False matches within a group.

    Attributes:
        persons: People in it.
        pairs: Comparisons of two of them.
    """

    name: str
    persons: int
    pairs: int
    rates: tuple[BoundedRate, ...]


def threshold_for(rate: float, impostor: PairScores) -> float:
    """Return the lowest threshold with a measured FMR of at most ``rate``."""
    place = int(rate * impostor.scores.size)
    highest = np.partition(impostor.scores, impostor.scores.size - place - 1)
    return float(np.nextafter(highest[impostor.scores.size - place - 1], np.float32(2)))


def fnmr_of(genuine: PairScores, threshold: float) -> float:
    """Return the share of genuine pairs below a threshold."""
    return float((genuine.scores < threshold).mean())


def within_sources(templates: TemplateSet, impostor: PairScores) -> NDArray[np.bool_]:
    """Return which impostor pairs are of photos of one source, shape (n,)."""
    sources = np.unique(templates.sources, return_inverse=True)[1].astype(np.int8)
    alike: NDArray[np.bool_] = sources[impostor.first] == sources[impostor.second]
    return alike


def group_rates(
    templates: TemplateSet, impostor: PairScores, *, thresholds: NDArray[np.float64], resamples: int
) -> tuple[GroupRates, ...]:
    """Return FMR at thresholds within groups of people, in the order of their names.

    The groups are those that the source names, all of them pooled (both people of a pair are of one group),
    the people of one sex, and those of one group and sex.

    Args:
        thresholds: Shape (t,), in any order.
    """
    both = np.char.add(np.char.add(templates.groups, " "), templates.sexes)
    found = list(_inside(templates, impostor, templates.groups))
    pooled = "the groups pooled", joined([pairs for _, pairs in found])
    found += [pooled, *_inside(templates, impostor, templates.sexes), *_inside(templates, impostor, both)]
    return tuple(
        GroupRates(
            name,
            np.unique(templates.identities[np.union1d(pairs.first, pairs.second)]).size,
            pairs.scores.size,
            fmr_at(templates, pairs, thresholds=thresholds, resamples=resamples),
        )
        for name, pairs in found
    )


def fmr_at(
    templates: TemplateSet, impostor: PairScores, *, thresholds: NDArray[np.float64], resamples: int
) -> tuple[BoundedRate, ...]:
    """Compute FMR with its bound over people at each threshold; they are in any order."""
    # No score reaches the last one: its bound is the lowest that these people support.
    rising = np.append(np.unique(thresholds), np.inf)
    curve = curve_of(templates, impostor, thresholds=rising, resamples=resamples)
    return tuple(
        BoundedRate(float(curve.rates[at]), float(curve.upper_bounds[at]), float(curve.upper_bounds[-1]))
        for at in np.searchsorted(rising, thresholds)
    )


def curve_of(
    templates: TemplateSet,
    impostor: PairScores,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
) -> FmrCurve:
    """Compute FMR over all pairs of people with its bound (``lab.evaluation.match.error_bounds``)."""
    names, persons = np.unique(templates.identities, return_inverse=True)
    return fmr_curve(
        ImpostorScores(
            impostor.scores.astype(np.float64),
            persons[impostor.first].astype(np.int64),
            persons[impostor.second].astype(np.int64),
            np.zeros(names.size, dtype=np.int64),
        ),
        thresholds=thresholds,
        resamples=resamples,
        confidence=CONFIDENCE,
        rng=np.random.default_rng(_RESAMPLING_SEED),
    )


def bounds_of(
    templates: TemplateSet, impostor: PairScores, curve: FmrCurve, *, resamples: int
) -> NDArray[np.float64]:
    """Return the bounds of a calibration, shape (t,), never rising.

    Each is the bound over all pairs, and never below the rate of pairs of one source nor the bound within any
    group (``group_bounds``).
    """
    floors = [_rates(impostor.scores[within_sources(templates, impostor)], curve.thresholds)]
    floors += group_bounds(templates, impostor, thresholds=curve.thresholds, resamples=resamples).values()
    worst = np.minimum.accumulate(np.max(np.vstack([curve.upper_bounds, *floors]), axis=0))
    # The line within a group may still fall there; a bound also holds above its threshold.
    worst[-1] = worst[-2]
    return worst


def group_bounds(
    templates: TemplateSet, impostor: PairScores, *, thresholds: NDArray[np.float64], resamples: int
) -> dict[str, NDArray[np.float64]]:
    """Return the bound on FMR within each group that the source names at rising thresholds, shape (t,) each.

    A group has too few people for the bounds of policies. Above the last threshold that ``LEAST_MATCHES`` of
    its pairs reach, its bound continues down to ``LEAST_OF_GROUPS`` as a straight line on the scale of normal
    deviates, that of DET plots, with the slope of FMR within all groups from 1e-2 to 1e-3.
    """
    inside = dict(_inside(templates, impostor, templates.groups))
    if not inside:
        return {}
    pooled = joined(list(inside.values()))
    high, low = (threshold_for(rate, pooled) for rate in _SLOPE)
    slope = (ndtri(_SLOPE[0]) - ndtri(_SLOPE[1])) / (low - high)
    found = {}
    for name, pairs in inside.items():
        bounds = curve_of(templates, pairs, thresholds=thresholds, resamples=resamples).upper_bounds
        matches = _rates(pairs.scores, thresholds) * pairs.scores.size
        last = max(0, int(np.searchsorted(-matches, -LEAST_MATCHES, side="right")) - 1)
        line = ndtr(ndtri(bounds[last]) - slope * (thresholds - thresholds[last]))
        found[name] = np.where(np.arange(thresholds.size) <= last, bounds, np.maximum(line, LEAST_OF_GROUPS))
    return found


def _inside(
    templates: TemplateSet, impostor: PairScores, labels: NDArray[np.str_]
) -> Iterator[tuple[str, PairScores]]:
    """Yield each label with the pairs of two people who have it; people without a group have none."""
    # Numbers, because comparing millions of texts takes minutes.
    names, codes = np.unique(labels, return_inverse=True)
    codes = np.where(templates.groups == "", -1, codes).astype(np.int8)
    of_first = codes[impostor.first]
    alike = np.flatnonzero((of_first == codes[impostor.second]) & (of_first >= 0))
    of_pair = of_first[alike]
    for code in np.unique(of_pair):
        own = alike[of_pair == code]
        yield str(names[code]), PairScores(impostor.scores[own], impostor.first[own], impostor.second[own])


def _rates(scores: NDArray[np.float32], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(scores).astype(np.float64)
    return 1.0 - np.searchsorted(ordered, thresholds, side="left") / ordered.size


HIGHEST_RATE: Final = 0.5
"""The FMR at which the thresholds of a calibration file begin."""
_STEP: Final = 0.001
_FINE_FROM: Final = 0.05
_COARSE: Final = 25
_BEYOND: Final = 0.3
_MOST_MISSED: Final = 1 / 3
"""A calibration ends where more of the same person would be missed: no policy should be offered there."""

ScoredSet: TypeAlias = tuple[TemplateSet, PairScores, PairScores]
"""Templates with their genuine and their impostor pairs."""


def points_of(
    sets: Sequence[ScoredSet], *, resamples: int, from_rate: float = HIGHEST_RATE
) -> tuple[tuple[ScorePoint, ...], FmrCurve]:
    """Return the points of a calibration, the worst of several sets, and FMR over the first set.

    Args:
        sets: The templates of one embedder, of one or several detectors.
        from_rate: The FMR at which the thresholds begin. A lower one takes less time; bounds above it are 1.
    """
    thresholds = _thresholds([impostor for _, _, impostor in sets], from_rate=from_rate)
    curves = [
        curve_of(templates, impostor, thresholds=thresholds, resamples=resamples)
        for templates, _, impostor in sets
    ]
    bounds = np.max(
        [
            bounds_of(templates, impostor, curve, resamples=resamples)
            for (templates, _, impostor), curve in zip(sets, curves, strict=True)
        ],
        axis=0,
    )
    points = (
        ScorePoint(
            round(threshold, 3), bound, round(max(fnmr_of(genuine, threshold) for _, genuine, _ in sets), 4)
        )
        for threshold, bound in choose_points(thresholds, bounds)
        if threshold <= 1.0
    )
    return tuple(point for point in points if (point.fnmr or 0.0) <= _MOST_MISSED), curves[0]


def calibration_of(
    sets: Sequence[ScoredSet],
    *,
    form: TemplateForm,
    cohort: bool,
    scans: ScanRange | None,
    resamples: int,
) -> MatchCalibration:
    """Return the calibration of one embedder, with a cohort of everybody if ``cohort``.

    Args:
        sets: As for ``points_of``.
        cohort: Whether the scores are against a cohort.
    """
    points, curve = points_of(sets, resamples=resamples)
    templates = sets[0][0]
    everybody = templates.vectors[one_of_each_person(templates)]
    return MatchCalibration(
        points=points,
        record=_record(sets, curve, cohort=cohort, resamples=resamples),
        embedder_sha256=form.sha256,
        scans=scans,
        cohort=fit_cohort(everybody, directions=DIRECTIONS) if cohort else None,
        template=form.id,
    )


def _thresholds(impostors: Sequence[PairScores], *, from_rate: float) -> NDArray[np.float64]:
    """Return thresholds from one of FMR ``from_rate`` to far above every impostor, coarse where FMR is high.

    The bounds within groups still fall above the highest impostor (``lab.studies.photo_match.rates``).
    """
    highest = max(float(impostor.scores.max()) for impostor in impostors)
    lowest, fine = (
        min(float(np.quantile(impostor.scores[::97], 1.0 - rate)) for impostor in impostors)
        for rate in (from_rate, min(from_rate, _FINE_FROM))
    )
    coarse = np.arange(lowest, fine, _COARSE * _STEP)
    return np.round(np.concatenate([coarse, np.arange(fine, highest + _BEYOND, _STEP)]), 3)


def _record(sets: Sequence[ScoredSet], curve: FmrCurve, *, cohort: bool, resamples: int) -> CalibrationRecord:
    templates, genuine, impostor = sets[0]
    normalised = (
        f" Scores are against a cohort of {DIRECTIONS} directions; each pair by one of other people."
        if cohort
        else ""
    )
    return CalibrationRecord(
        provenance="measured",
        dataset="Photos of the news (faces_lfw), and one photo each of adults of seven groups (faces_groups)",
        identities=curve.persons,
        genuine_pairs=genuine.scores.size,
        impostor_pairs=impostor.scores.size,
        failures_to_acquire=templates.failures,
        command=f"python -m lab.studies.photo_match calibrate {'TEMPLATES ' * len(sets)}"
        f"{'--cohort ' if cohort else ''}--form PACK --resamples {resamples} --out FILE",
        note=f"{curve.person_pairs} pairs of people, without 13 suspected duplicates.{normalised} Each bound "
        "is the larger of an identity bootstrap and Clopper-Pearson over effective pairs (Korn and "
        f"Graubard), one-sided {CONFIDENCE:.0%}; never below the rate of photos of one source, nor the "
        "bound within any of seven groups, which a line on the scale of normal deviates continues below 30 "
        "matching pairs, down to 1e-5. It ends where more than a third of the same "
        "person would be missed. fnmr is that of the pairs of photos. Measure again on photos like yours.",
    )


RATES: Final = (1e-2, 1e-3, 1e-4, 1e-5)
_FROM_RATE: Final = 0.03
_FOLDS_SEED: Final = 1
_MARGINS: Final[NDArray[np.float64]] = np.round(np.arange(-0.5, 0.505, 0.005), 3)
"""Distances to the threshold; the interval on FNMR takes its design effect from several."""
_AT_THRESHOLD: Final = int(np.searchsorted(_MARGINS, 0.0))


class Basis(StrEnum):
    """How a threshold is set."""

    BOUND = "bound on FMR, of the other folds"
    """At the bound that a calibration of the other folds gives, as a shipped threshold is set."""
    MEASURED = "measured FMR, of the other folds"
    LEFT_OUT = "measured FMR, of the people left out"
    """On the tested people themselves, all folds together; only the cohort is of others."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rates at the thresholds for one FMR.

    Attributes:
        basis: How the thresholds are set.
        target: The FMR for which they are set.
        low: Lower end of its two-sided interval over people.
        high: Upper end.
        people: People of the comparisons, and of the genuine ones.
    """

    basis: Basis
    target: float
    fnmr: float
    low: float
    high: float
    fmr: BoundedRate
    people: tuple[int, int]
    comparisons: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Fold:
    genuine: PairScores
    impostor: PairScores
    thresholds: dict[tuple[Basis, float], float]


def left_out(templates: TemplateSet, *, folds: int, cohort: bool, resamples: int) -> Iterator[LeftOut]:
    """Yield the rates on people left out for every basis and FMR that all folds support.

    Args:
        folds: Number of folds, 2 or more.
        cohort: Whether scores are against a cohort.
    """
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = (np.random.default_rng(_FOLDS_SEED).permutation(names.size) % folds)[persons]
    parts = [
        _fold(templates, tested=fold_of == fold, cohort=cohort, resamples=resamples) for fold in range(folds)
    ]
    for basis in (Basis.BOUND, Basis.MEASURED):
        for rate in RATES:
            found = [part.thresholds.get((basis, rate)) for part in parts]
            if None not in found:
                at = [threshold for threshold in found if threshold is not None]
                yield _fold_rates(templates, parts, at, basis=basis, target=rate, resamples=resamples)
    everybody = joined([part.impostor for part in parts])
    for rate in RATES:
        at = [threshold_for(rate, everybody)] * folds
        yield _fold_rates(templates, parts, at, basis=Basis.LEFT_OUT, target=rate, resamples=resamples)


def _fold(templates: TemplateSet, *, tested: NDArray[np.bool_], cohort: bool, resamples: int) -> _Fold:
    others, own = _chosen(templates, ~tested), _chosen(templates, tested)
    genuine, impostor = score_pairs(others, cohort=cohort)
    points, curve = points_of([(others, genuine, impostor)], resamples=resamples, from_rate=_FROM_RATE)
    record = CalibrationRecord(
        provenance="measured",
        dataset="the other folds",
        identities=curve.persons,
        genuine_pairs=genuine.scores.size,
        impostor_pairs=impostor.scores.size,
        command="",
    )
    calibration = MatchCalibration(points=points, record=record, embedder_sha256="0" * 64)
    thresholds = {(Basis.MEASURED, rate): threshold_for(rate, impostor) for rate in RATES}
    thresholds |= {
        (Basis.BOUND, rate): threshold_cosine(rate, calibration=calibration)
        for rate in RATES
        if calibration.lowest_bound <= rate
    }
    if cohort:
        fitted = fit_cohort(others.vectors[one_of_each_person(others)], directions=DIRECTIONS)
        own = replace(own, vectors=fitted.vectors(own.vectors).astype(np.float32))
    places = np.flatnonzero(tested).astype(np.int32)
    same, different = (
        PairScores(pairs.scores, places[pairs.first], places[pairs.second])
        for pairs in score_pairs(own, cohort=False)
    )
    return _Fold(same, different, thresholds)


def _fold_rates(
    templates: TemplateSet,
    parts: list[_Fold],
    thresholds: list[float],
    *,
    basis: Basis,
    target: float,
    resamples: int,
) -> LeftOut:
    same, different = (
        joined([_above(pairs, at) for pairs, at in zip(column, thresholds, strict=True)])
        for column in ([part.genuine for part in parts], [part.impostor for part in parts])
    )
    # The threshold of a fold is at 0, and no margin reaches the other one.
    fmr = curve_of(templates, different, thresholds=np.array([0.0, np.inf]), resamples=resamples)
    names, persons = np.unique(templates.identities, return_inverse=True)
    fnmr = fnmr_curve(
        GenuineScores(same.scores.astype(np.float64), persons[same.first].astype(np.int64), names.size),
        thresholds=_MARGINS,
        draws=fmr.draws,
        confidence=CONFIDENCE,
    )
    return LeftOut(
        basis=basis,
        target=target,
        fnmr=float(fnmr.rates[_AT_THRESHOLD]),
        low=float(fnmr.lower[_AT_THRESHOLD]),
        high=float(fnmr.upper[_AT_THRESHOLD]),
        fmr=BoundedRate(float(fmr.rates[0]), float(fmr.upper_bounds[0]), float(fmr.upper_bounds[1])),
        people=(fmr.persons, fnmr.persons),
        comparisons=(fnmr.comparisons, fmr.comparisons),
    )


def _above(pairs: PairScores, threshold: float) -> PairScores:
    """Return the pairs with their distances to the threshold as scores."""
    return replace(pairs, scores=(pairs.scores.astype(np.float64) - threshold).astype(np.float32))


def _chosen(templates: TemplateSet, which: NDArray[np.bool_]) -> TemplateSet:
    columns = {
        field.name: getattr(templates, field.name)[which]
        for field in fields(templates)
        if field.name != "failures"
    }
    return TemplateSet(**columns, failures=0)
