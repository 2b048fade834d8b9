"""Measures FMR and FNMR on people from whom neither threshold nor cohort nor calibration was made.

People, not photos, are divided into folds. The thresholds for a fold are set on all pairs of people in the
other folds, as those of a packaged calibration are. The photos of the fold are then compared with each other,
with scores normalised by a cohort of the people in the other folds. So a threshold is never tested on people
from whom it was made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.match.fnmr_bounds import GenuineScores, fnmr_curve
from matcher import threshold_cosine
from research.photo_match.calibration import points_of
from research.photo_match.rates import CONFIDENCE, BoundedRate, curve_of, threshold_for
from research.photo_match.scores import DIRECTIONS, PairScores, joined, one_of_each_person, score_pairs
from research.photo_match.templates import TemplateSet
from vision.packs import CalibrationRecord, MatchCalibration
from vision.packs.calibration import fit_cohort

__all__ = ["RATES", "Basis", "LeftOut", "left_out"]

RATES: Final = (1e-2, 1e-3, 1e-4, 1e-5)
_FROM_RATE: Final = 0.03
_SEED: Final = 1
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
        fnmr: FNMR.
        low: Lower end of its two-sided interval over people.
        high: Upper end.
        fmr: FMR with its bound over people.
        people: People of the comparisons, and of the genuine ones.
        comparisons: Genuine and impostor comparisons.
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
        templates: The templates.
        folds: Number of folds, 2 or more.
        cohort: Whether scores are against a cohort.
        resamples: Samples of the bootstraps.
    """
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = (np.random.default_rng(_SEED).permutation(names.size) % folds)[persons]
    parts = [
        _fold(templates, tested=fold_of == fold, cohort=cohort, resamples=resamples) for fold in range(folds)
    ]
    for basis in (Basis.BOUND, Basis.MEASURED):
        for rate in RATES:
            found = [part.thresholds.get((basis, rate)) for part in parts]
            if None not in found:
                at = [threshold for threshold in found if threshold is not None]
                yield _rates(templates, parts, at, basis=basis, target=rate, resamples=resamples)
    everybody = joined([part.impostor for part in parts])
    for rate in RATES:
        at = [threshold_for(rate, everybody)] * folds
        yield _rates(templates, parts, at, basis=Basis.LEFT_OUT, target=rate, resamples=resamples)


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


def _rates(
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
