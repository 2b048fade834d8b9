"""Makes the calibration file of a pack from measurements: the bound on FMR of each cosine.

Every photo is embedded once. All pairs of photos of one person are genuine comparisons, and all pairs of
photos of two persons are impostor comparisons; persons of a group that is measured separately are compared
among themselves only. The bounds on FMR are those of ``evaluation.match.fmr_bounds``. FNMR is measured on the
genuine comparisons of the main group. Photos in which no single face is found are failures to acquire, not
comparisons (ISO/IEC 19795-1). The file contains only bounds that the number of persons supports.

An embedder can be in packs of several families, whose detectors align faces slightly differently. Then each
pack is measured, and the calibration contains the highest of their bounds at every cosine.

Single photos are compared. The fused template of a scan matches its own person more reliably, and is also
slightly more similar to other persons; ``research.scan_match`` measures this on clips.

The command is ``facegate calibrate match``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.match.calibration_points import choose_points
from evaluation.match.comparisons import Comparisons
from evaluation.match.errors import EmbeddersDiffer
from evaluation.match.fmr_bounds import FmrCurve, fmr_curve
from evaluation.match.impostor_scores import THRESHOLDS
from evaluation.match.templates import TemplateRun
from vision.packs import CalibrationRecord, MatchCalibration, Pack, ScorePoint

__all__ = [
    "THRESHOLDS",
    "PackMeasurement",
    "calibrate",
    "common_embedder",
    "embedder_sha256",
    "measure_comparisons",
    "without_folder",
]


@dataclass(frozen=True, slots=True)
class PackMeasurement:
    """The measurement of one pack on a set of photos.

    Attributes:
        pack: Name of the pack, without folders.
        run: The run that made its templates.
        comparisons: The comparisons.
        curve: FMR over the cosine.
    """

    pack: str
    run: TemplateRun
    comparisons: Comparisons
    curve: FmrCurve


def measure_comparisons(
    run: TemplateRun, comparisons: Comparisons, *, pack: str, resamples: int, confidence: float, seed: int
) -> PackMeasurement:
    """Compute the FMR curve of a pack's comparisons.

    Args:
        run: The run that made the templates of the comparisons.
        comparisons: The comparisons.
        pack: Name of the pack in the record.
        resamples: Number of bootstrap samples.
        confidence: One-sided confidence of the bounds.
        seed: Seed of the bootstrap's draws.
    """
    curve = fmr_curve(
        comparisons.impostors,
        thresholds=THRESHOLDS,
        resamples=resamples,
        confidence=confidence,
        rng=np.random.default_rng(seed),
    )
    return PackMeasurement(pack=pack, run=run, comparisons=comparisons, curve=curve)


def calibrate(
    measurements: Sequence[PackMeasurement],
    *,
    embedder_sha256: str,
    dataset: str,
    command: str,
    scored: Pack | None = None,
) -> MatchCalibration:
    """Make the calibration of an embedder: at every cosine, the highest bound and FNMR of its measurements.

    Args:
        measurements: The measurements of one or more packs with the embedder. The counts in the record are
            those of the first.
        embedder_sha256: SHA-256 of the embedder's file, lower-case hex.
        dataset: Name of the data set for the record.
        command: Command that repeats the calibration, for the record.
        scored: The measured pack from which the calibration gets its template id and its cohort; ``None``
            for a calibration without both.
    """
    first = measurements[0]
    bounds = np.max([measurement.curve.upper_bounds for measurement in measurements], axis=0)
    points = tuple(
        ScorePoint(
            cosine=cosine,
            fmr_upper_bound=bound,
            fnmr=_worst_fnmr(measurements, cosine),
        )
        for cosine, bound in choose_points(first.curve.thresholds, bounds)
        if cosine <= 1.0
    )
    record = CalibrationRecord(
        provenance="measured",
        dataset=dataset,
        identities=first.comparisons.identities,
        genuine_pairs=first.comparisons.genuine.size + first.comparisons.genuine_apart.size,
        impostor_pairs=first.curve.comparisons,
        failures_to_acquire=first.run.failures,
        command=command,
        note=_note(measurements),
    )
    return MatchCalibration(
        points=points,
        record=record,
        embedder_sha256=embedder_sha256,
        cohort=None if scored is None else scored.match_calibration.cohort,
        template="" if scored is None else scored.template_form.id,
    )


def _worst_fnmr(measurements: Sequence[PackMeasurement], cosine: float) -> float | None:
    if any(each.comparisons.genuine.size == 0 for each in measurements):
        return None
    return round(max(each.comparisons.fnmr(cosine) for each in measurements), 4)


def _note(measurements: Sequence[PackMeasurement]) -> str:
    curve = measurements[0].curve
    counts = " ".join(_counts(each, named=len(measurements) > 1) for each in measurements)
    worst = (
        " Every bound and fnmr is the worst of these packs, whose detectors align faces by other points."
        if len(measurements) > 1
        else ""
    )
    return (
        f"{counts}{worst} Impostor pairs are of one group, from {curve.person_pairs} pairs of persons. They "
        "share persons, so a bound is the larger of an identity bootstrap and Clopper-Pearson over the "
        "effective number of pairs of persons (Korn and Graubard), one-sided "
        f"{curve.confidence:.0%}, and never below the rate of one group. Single photos were compared; "
        "a scan is judged by several frames."
    )


def _counts(measurement: PackMeasurement, *, named: bool) -> str:
    run, comparisons = measurement.run, measurement.comparisons
    return (
        f"{f'Pack {measurement.pack}: ' if named else ''}{run.photos} photos, {len(run.templates)} "
        f"templates. Main group: {comparisons.main_identities} persons, {comparisons.genuine.size} genuine "
        f"pairs; fnmr is theirs. Measured apart: {comparisons.identities - comparisons.main_identities} "
        f"persons, {comparisons.genuine_apart.size} genuine pairs."
    )


def embedder_sha256(pack: Pack) -> str:
    """Return the SHA-256 of the pack's embedder file, lower-case hex."""
    return next(file.sha256 for file in pack.files if file.role == "embedder")


def common_embedder(packs: Sequence[Pack]) -> str:
    """Return the SHA-256 of the embedder that all of these packs share.

    Raises:
        EmbeddersDiffer: The packs have different embedders.
    """
    found = {embedder_sha256(pack) for pack in packs}
    if len(found) != 1:
        raise EmbeddersDiffer(
            "the packs have different embedders, and a calibration is for one embedder: calibrate each pack "
            "separately"
        )
    return found.pop()


def without_folder(spec: str) -> str:
    """Return the name of a pack without the folder of this machine."""
    kind, colon, _ = spec.partition(":")
    return f"{kind}{colon}{'DIR' if colon else ''}"
