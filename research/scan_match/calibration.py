"""Makes a calibration for the comparison of a check: a photo with a scan's fused template.

A fused template is more similar to all persons than that of a single photo, strangers included, so that
bounds from pairs of photos alone can be too low. Therefore the calibration has, at every cosine, the worst of
the bounds from pairs of photos (``evaluation.match.calibration``) and from scans
(``research.scan_match.comparisons``), over all packs with the embedder.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.match import PackMeasurement
from evaluation.match.calibration_points import choose_points
from research.scan_match.comparisons import ScanComparisons, ScanCurve
from vision.packs import CalibrationRecord, MatchCalibration, ScorePoint
from vision.packs.calibration import ScanRange

__all__ = ["ScanMeasurement", "calibrate_with_scans"]


@dataclass(frozen=True, slots=True)
class ScanMeasurement:
    """The measurement of one pack on photos and on scans.

    Attributes:
        photos: Pairs of photos.
        comparisons: Scans against portraits.
        curve: FMR of scans over the cosine, at the same thresholds as that of the photos.
        scans: Number of scans.
    """

    photos: PackMeasurement
    comparisons: ScanComparisons
    curve: ScanCurve
    scans: int


def calibrate_with_scans(
    measurements: Sequence[ScanMeasurement], *, embedder_sha256: str, dataset: str, command: str
) -> MatchCalibration:
    """Make the calibration of an embedder: the worst of its measurements at every cosine.

    Args:
        measurements: One or more, at the same thresholds; the record has the counts of the first.
        embedder_sha256: SHA-256 of the embedder's file, lower-case hex.
        dataset: Name of the data set for the record.
        command: Command that repeats the calibration, for the record.
    """
    first = measurements[0]
    photo_bounds = np.max([each.photos.curve.upper_bounds for each in measurements], axis=0)
    scan_bounds = np.max([photo_bounds, *(each.curve.upper_bounds for each in measurements)], axis=0)
    thresholds = first.curve.thresholds
    points = tuple(
        ScorePoint(
            cosine, bound, round(max(each.photos.comparisons.fnmr(cosine) for each in measurements), 4)
        )
        for cosine, bound in choose_points(thresholds, photo_bounds)
        if cosine <= 1.0
    )
    of_scans = tuple(
        ScorePoint(cosine, bound, round(max(each.comparisons.fnmr(cosine) for each in measurements), 4))
        for cosine, bound in choose_points(thresholds, scan_bounds)
        if cosine <= 1.0
    )
    photos, scans = first.photos.comparisons, first.comparisons
    record = CalibrationRecord(
        provenance="measured",
        dataset=dataset,
        identities=photos.identities,
        genuine_pairs=photos.genuine.size + photos.genuine_apart.size,
        impostor_pairs=first.photos.curve.comparisons,
        failures_to_acquire=first.photos.run.failures,
        command=command,
        note=_note(measurements),
    )
    return MatchCalibration(
        points=points,
        record=record,
        embedder_sha256=embedder_sha256,
        scans=ScanRange(
            points=of_scans,
            scans=first.scans,
            persons=scans.photo_persons + scans.clip_persons,
            genuine_pairs=scans.genuine.size,
            impostor_pairs=scans.with_photos.scores.size + scans.with_frames.scores.size,
        ),
    )


def _note(measurements: Sequence[ScanMeasurement]) -> str:
    counts = " ".join(_counts(each) for each in measurements)
    confidence = measurements[0].photos.curve.confidence
    packs = " of all packs, whose detectors align faces by other points" * (len(measurements) > 1)
    return (
        f"{counts} Every bound is the worst{packs}; that of scans is never below that of photos. They share "
        "persons, so a bound is the larger of an identity bootstrap and Clopper-Pearson over the effective "
        f"number of pairs of persons (Korn and Graubard), one-sided {confidence:.0%}, and never below the "
        "rate of one group of photos, of scans against photos, or of scans against frames of other clips. "
        "fnmr is that of pairs of photos. Development photos are not the population of a deployment: "
        "measure again on your own."
    )


def _counts(measurement: ScanMeasurement) -> str:
    photos, scans = measurement.photos, measurement.comparisons
    apart = photos.comparisons.identities - photos.comparisons.main_identities
    return (
        f"Pack {photos.pack}: {photos.run.photos} photos, {len(photos.run.templates)} templates; main group: "
        f"{photos.comparisons.main_identities} persons, {photos.comparisons.genuine.size} genuine pairs; "
        f"measured apart: {apart} persons, {photos.comparisons.genuine_apart.size} genuine pairs; "
        f"{photos.curve.comparisons} impostor pairs of {photos.curve.person_pairs} pairs of persons. "
        f"{measurement.scans} scans of {scans.clip_persons} persons: {scans.with_photos.scores.size} "
        f"impostor comparisons with photos of the main group, {scans.with_frames.scores.size} with frames of "
        f"other clips, of {measurement.curve.person_pairs} pairs of persons together; {scans.genuine.size} "
        "genuine."
    )
