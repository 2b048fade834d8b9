"""Makes a calibration of photo against photo from the scores of all pairs."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluation.match.calibration_points import choose_points
from evaluation.match.fmr_bounds import FmrCurve
from research.photo_match.rates import CONFIDENCE, bounds_of, curve_of, fnmr_of
from research.photo_match.scores import DIRECTIONS, PairScores, one_of_each_person
from research.photo_match.templates import TemplateSet
from vision.packs import CalibrationRecord, MatchCalibration, ScorePoint, TemplateForm
from vision.packs.calibration import ScanRange, fit_cohort

__all__ = ["HIGHEST_RATE", "ScoredSet", "calibration_of", "points_of"]

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
        resamples: Samples of the bootstrap.
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
        form: The form of the templates.
        cohort: Whether the scores are against a cohort.
        scans: The range of scans.
        resamples: Samples of the bootstrap.
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

    The bounds within groups still fall above the highest impostor (``research.photo_match.rates``).
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
        command=f"python -m research.photo_match calibrate {'TEMPLATES ' * len(sets)}"
        f"{'--cohort ' if cohort else ''}--form PACK --resamples {resamples} --out FILE",
        note=f"{curve.person_pairs} pairs of people, without 13 suspected duplicates.{normalised} Each bound "
        "is the larger of an identity bootstrap and Clopper-Pearson over effective pairs (Korn and "
        f"Graubard), one-sided {CONFIDENCE:.0%}; never below the rate of photos of one source, nor the "
        "bound within any of seven groups, which a line on the scale of normal deviates continues below 30 "
        "matching pairs, down to 1e-5. It ends where more than a third of the same "
        "person would be missed. fnmr is that of the pairs of photos. Measure again on photos like yours.",
    )
