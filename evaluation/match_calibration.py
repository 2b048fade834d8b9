"""Measure what the cosines of a pack are worth, and write its calibration file.

::

    python -m evaluation.match_calibration --pack embedded --faces DIR --out FILE
    python -m evaluation.match_calibration --pack insightface:DIR --faces DIR --out FILE

Every photo is embedded once. All pairs of photos of one person are genuine comparisons, all pairs
of photos of two persons impostor comparisons; persons of a group that is measured apart
(``--apart``) are compared among themselves only. The bounds on FMR are those of
``evaluation.fmr_bounds``. FNMR is measured on the genuine comparisons of the main group; photos in
which no single face is found are failures to acquire and no comparisons (ISO/IEC 19795-1). No bound
is written that the number of persons does not support.

An embedder can sit in packs of several families, whose detectors align faces a little differently. Then
``--pack`` is given once for each, and the file holds the worst of them at every cosine.

Single photos are compared. A scan's fused template does better than that; the gain is not counted.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from evaluation.calibration_points import choose_points, render_calibration
from evaluation.face_comparisons import Comparisons, compare_all
from evaluation.face_photos import Corrections, PhotoListError, read_corrections, read_photos
from evaluation.face_templates import TemplateRun, embed_photos
from evaluation.fmr_bounds import FmrCurve, fmr_curve
from matcher.similarity import threshold_cosine
from vision.errors import VisionError
from vision.packs import CalibrationRecord, MatchCalibration, Pack, ScorePoint, load_pack
from vision.packs.models_dir import default_models_dir

__all__ = ["Measurement", "calibrate", "main", "measure"]

_STEP = 0.001
_REPORTED = (1e-1, 3e-2, 1e-2, 5e-3, 3e-3, 2e-3, 1e-3)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One pack on a set of photos.

    Attributes:
        pack: How the pack was named, without folders.
        run: Where its templates come from.
        comparisons: What was compared.
        curve: FMR over the cosine.
    """

    pack: str
    run: TemplateRun
    comparisons: Comparisons
    curve: FmrCurve


def measure(
    run: TemplateRun, comparisons: Comparisons, *, pack: str, resamples: int, confidence: float, seed: int
) -> Measurement:
    """Take the FMR curve of a pack's comparisons.

    Args:
        run: Where the comparisons' templates come from.
        comparisons: What was compared.
        pack: How the pack is named in the record.
        resamples: Bootstrap samples.
        confidence: One-sided, of the bounds.
        seed: Of the bootstrap's draws.
    """
    curve = fmr_curve(
        comparisons.impostors,
        thresholds=np.round(np.arange(-1.0, 1.0 + 2.5 * _STEP, _STEP), 3),
        resamples=resamples,
        confidence=confidence,
        rng=np.random.default_rng(seed),
    )
    return Measurement(pack=pack, run=run, comparisons=comparisons, curve=curve)


def calibrate(
    measurements: Sequence[Measurement], *, embedder_sha256: str, dataset: str, command: str
) -> MatchCalibration:
    """Turn measurements of one embedder into its calibration: the worst of them at every cosine.

    Args:
        measurements: One or more; the record's counts are the first one's.
        embedder_sha256: Of the embedder's file, lower-case hex.
        dataset: The data set's name for the record.
        command: How to make the calibration again, for the record.
    """
    first = measurements[0]
    bounds = np.max([measurement.curve.upper_bounds for measurement in measurements], axis=0)
    points = tuple(
        ScorePoint(
            cosine=cosine,
            fmr_upper_bound=bound,
            fnmr=round(max(each.comparisons.fnmr(cosine) for each in measurements), 4),
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
    return MatchCalibration(points=points, record=record, embedder_sha256=embedder_sha256)


def _note(measurements: Sequence[Measurement]) -> str:
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
        f"{curve.confidence:.0%}, and never below the rate of one group. Development photos are not the "
        "population of a deployment: measure again on your own."
    )


def _counts(measurement: Measurement, *, named: bool) -> str:
    run, comparisons = measurement.run, measurement.comparisons
    return (
        f"{f'Pack {measurement.pack}: ' if named else ''}{run.photos} photos, {len(run.templates)} "
        f"templates. Main group: {comparisons.main_identities} persons, {comparisons.genuine.size} genuine "
        f"pairs; fnmr is theirs. Measured apart: {comparisons.identities - comparisons.main_identities} "
        f"persons, {comparisons.genuine_apart.size} genuine pairs."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when it could not measure."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        corrections = read_corrections(options.corrections) if options.corrections else Corrections()
        photos = read_photos(options.faces, corrections=corrections, apart=frozenset(options.apart))
        measurements, embedders = [], set()
        for spec in options.pack:
            pack = load_pack(spec, models_dir=default_models_dir(os.environ, Path.home()))
            embedders.add(_embedder_sha256(pack))
            run = embed_photos(photos, pack=pack, console=console)
            measurements.append(
                measure(
                    run,
                    compare_all(run.templates, unsure=corrections.unsure),
                    pack=_without_folder(spec),
                    resamples=options.resamples,
                    confidence=options.confidence,
                    seed=options.seed,
                )
            )
        if len(embedders) > 1:
            raise ValueError("the packs have different embedders; measure each by itself")
        calibration = calibrate(
            measurements,
            embedder_sha256=embedders.pop(),
            dataset=options.dataset,
            command=_command(options),
        )
        options.out.write_text(render_calibration(calibration), encoding="utf-8")
    except (PhotoListError, VisionError, OSError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    for measurement in measurements:
        _print(console, calibration, measurement)
    return 0


def _embedder_sha256(pack: Pack) -> str:
    return next(file.sha256 for file in pack.files if file.role == "embedder")


def _without_folder(spec: str) -> str:
    kind, colon, _ = spec.partition(":")
    return f"{kind}{colon}{'DIR' if colon else ''}"


def _command(options: argparse.Namespace) -> str:
    """The command without this machine's paths."""
    parts = ["python -m evaluation.match_calibration"]
    parts += [f"--pack {_without_folder(spec)}" for spec in options.pack]
    parts.append("--faces DIR")
    if options.corrections:
        parts.append(f"--corrections {options.corrections.name}")
    parts += [f"--apart {source}" for source in options.apart]
    parts.append(f"--resamples {options.resamples} --confidence {options.confidence:g} --seed {options.seed}")
    return " ".join([*parts, "--out FILE"])


def _print(console: Console, calibration: MatchCalibration, measurement: Measurement) -> None:
    run, comparisons, curve = measurement.run, measurement.comparisons, measurement.curve
    console.print(calibration.record.note, highlight=False)
    console.print(
        f"{measurement.pack}: {run.failures} failures to acquire; {run.milliseconds_per_photo:.0f} ms a "
        f"photo to detect and embed; lowest bound {calibration.lowest_bound:g}",
        highlight=False,
    )
    table = Table("FMR bound", "threshold", "FMR measured", "FNMR main", "FNMR apart", title="Bounds")
    for bound in _REPORTED:
        if bound < calibration.lowest_bound:
            table.add_row(f"{bound:g}", "not supported by these data", "", "", "")
            continue
        cosine = threshold_cosine(bound, calibration=calibration)
        index = int(np.searchsorted(curve.thresholds, cosine, side="right")) - 1
        table.add_row(
            f"{bound:g}",
            f"{cosine:.3f}",
            f"{curve.rates[index]:.1e}",
            f"{comparisons.fnmr(cosine):.2%}",
            f"{comparisons.fnmr_apart(cosine):.2%}",
        )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.match_calibration",
        description="Measure what the cosines of a pack are worth, and write its calibration file.",
    )
    parser.add_argument(
        "--pack",
        required=True,
        action="append",
        help='such as "open", "embedded" or "insightface:<folder>"; again for another pack of this embedder',
    )
    parser.add_argument("--faces", required=True, type=Path, help="folder with photos and manifest.csv")
    parser.add_argument("--out", required=True, type=Path, help="calibration file to write")
    parser.add_argument("--corrections", type=Path, help="what is known to be wrong with the labels")
    parser.add_argument("--apart", action="append", default=[], help="source of identities measured apart")
    parser.add_argument("--dataset", default="Facegate development faces", help="its name for the record")
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap samples")
    parser.add_argument("--confidence", type=float, default=0.95, help="one-sided, of the bounds")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
