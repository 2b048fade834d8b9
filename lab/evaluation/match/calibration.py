"""Makes the calibration file of a pack from measurements: the bound on FMR of each cosine.

Every photo is embedded once. All pairs of photos of one person are genuine comparisons, and all pairs of
photos of two persons are impostor comparisons; persons of a group that is measured separately are compared
among themselves only. The bounds on FMR are those of ``error_bounds`` beside this module. FNMR is measured on
the genuine comparisons of the main group. Photos in which no single face is found are failures to acquire,
not comparisons (ISO/IEC 19795-1). The file contains only bounds that the number of persons supports.

An embedder can be in packs of several families, whose detectors align faces slightly differently. Then each
pack is measured, and the calibration contains the highest of their bounds at every cosine.

Single photos are compared. The fused template of a scan matches its own person more reliably, and is also
slightly more similar to other persons; ``lab.studies.scan_match`` measures this on clips.

The bound at many thresholds is reduced to the few points of a file. Its reader interpolates between them
linearly in log(bound) (``matcher.similarity``). The points are chosen so that this line is never below the
measured bounds. The command is ``facegate evaluate match --calibration``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.comparisons import Comparisons
from lab.evaluation.match.error_bounds import FmrCurve, fmr_curve
from lab.evaluation.match.impostor_scores import THRESHOLDS
from lab.evaluation.match.photos import EmbeddersDiffer
from lab.evaluation.match.templates import TemplateRun
from vision.packs import CalibrationRecord, MatchCalibration, Pack, ScorePoint

_STEPS_PER_DECADE = 50
_ROUNDING = 1e-12
"""Bounds that differ by less than this share are equal."""
_USEFUL = 0.5
"""Largest bound of a useful threshold; a larger one counts as 1."""


def choose_points(
    thresholds: NDArray[np.float64], upper_bounds: NDArray[np.float64]
) -> tuple[tuple[float, float], ...]:
    """Choose points (cosine, bound) with a log-linear line that is never below the step curve of the bounds.

    Bounds are first rounded up to a fiftieth of a decade, which reduces the number of points; the lowest
    keeps three digits. A bound that was measured at one threshold holds up to the next. Therefore each bound
    is placed at the next threshold: the line falls to it only where the next, lower bound already holds.

    Args:
        thresholds: Shape (t,), t of 2 or more, strictly rising.
        upper_bounds: Shape (t,), in (0, 1], never rising, and equal at the last two thresholds.

    Returns:
        One or more points; the cosine strictly rises and the bound strictly falls.

    Raises:
        ValueError: The bounds still fall at the last threshold; the thresholds end too early.
    """
    floor = _three_digits(float(upper_bounds[-1]))
    bounds = [_rounded_up(float(bound), floor=floor) for bound in upper_bounds]
    lowest = bounds.index(bounds[-1])
    if lowest == len(bounds) - 1:
        raise ValueError("the thresholds end before the bound has reached its lowest value")
    knots = [(float(thresholds[index + 1]), bounds[index]) for index in range(lowest + 1)]
    # Of equal bounds, the last one gives the highest line.
    return (*(knot for knot, after in pairwise(knots) if knot[1] > after[1]), knots[-1])


def _rounded_up(bound: float, *, floor: float) -> float:
    if bound <= floor or math.isclose(bound, floor, rel_tol=_ROUNDING):
        return floor
    if bound > _USEFUL:
        return 1.0
    exponent = math.ceil(math.log10(bound) * _STEPS_PER_DECADE) / _STEPS_PER_DECADE
    return _three_digits(10.0**exponent)


def _three_digits(bound: float) -> float:
    """Round ``bound`` up to three significant digits."""
    unit = 10.0 ** (math.floor(math.log10(bound)) - 2)
    # Without the error of the division, which made 1e-4 into 1.01e-4.
    return min(1.0, float(f"{math.ceil(round(bound / unit, 10)) * unit:.3g}"))


def render_calibration(calibration: MatchCalibration) -> str:
    """Return the text of a calibration file for ``vision.packs.calibration.parse_calibration``."""
    record = calibration.record
    lines = [
        "schema = 1",
        f"embedder_sha256 = {toml_text(calibration.embedder_sha256)}",
        *([f"template = {toml_text(calibration.template)}"] if calibration.template else []),
        *_points(calibration.points),
        "",
        "[record]",
        f"provenance = {toml_text(record.provenance)}",
        f"dataset = {toml_text(record.dataset)}",
        f"identities = {record.identities}",
        f"genuine_pairs = {record.genuine_pairs}",
        f"impostor_pairs = {record.impostor_pairs}",
    ]
    if record.failures_to_acquire is not None:
        lines.append(f"failures_to_acquire = {record.failures_to_acquire}")
    if record.command:
        lines.append(f"command = {toml_text(record.command)}")
    if record.reference:
        lines.append(f"reference = {toml_text(record.reference)}")
    if record.note:
        lines.append(f"note = {toml_text(record.note)}")
    if calibration.scans is not None:
        scans = calibration.scans
        lines += ["", "[scans]", f"scans = {scans.scans}", f"persons = {scans.persons}"]
        lines += [f"genuine_pairs = {scans.genuine_pairs}", f"impostor_pairs = {scans.impostor_pairs}"]
        lines += _points(scans.points)
    if calibration.cohort is not None:
        lines += ["", "[cohort]"]
        lines += [
            f"{name} = {toml_text(value) if isinstance(value, str) else repr(value)}"
            for name, value in calibration.cohort.as_table().items()
        ]
    return "\n".join(lines) + "\n"


def _points(points: Sequence[ScorePoint]) -> list[str]:
    return ["point = [", *(f"    {{ {_point(point)} }}," for point in points), "]"]


def _point(point: ScorePoint) -> str:
    text = f"cosine = {point.cosine!r}, fmr_upper_bound = {point.fmr_upper_bound!r}"
    return text if point.fnmr is None else f"{text}, fnmr = {point.fnmr!r}"


def toml_text(value: str) -> str:
    """Return a text as a TOML string."""
    # A JSON string is a TOML basic string, except for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True, slots=True)
class PackMeasurement:
    """The measurement of one pack on a set of photos.

    Attributes:
        pack: Name of the pack, without folders.
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
        resamples: Number of bootstrap samples.
        confidence: One-sided confidence of the bounds.
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
