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

Single photos are compared. A scan's fused template does better than that; the gain is not counted.
"""

import argparse
import sys
from collections.abc import Sequence
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

__all__ = ["calibrate", "main"]

_STEP = 0.001
_REPORTED = (1e-1, 3e-2, 1e-2, 5e-3, 3e-3, 2e-3, 1e-3)


def calibrate(
    run: TemplateRun,
    comparisons: Comparisons,
    *,
    embedder_sha256: str,
    dataset: str,
    command: str,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[MatchCalibration, FmrCurve]:
    """Turn comparisons into a calibration, and the curve that it was taken from.

    Args:
        run: Where the comparisons' templates come from.
        comparisons: What was compared.
        embedder_sha256: Of the embedder's file, lower-case hex.
        dataset: The data set's name for the record.
        command: How to make the calibration again, for the record.
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
    points = tuple(
        ScorePoint(cosine=cosine, fmr_upper_bound=bound, fnmr=round(comparisons.fnmr(cosine), 4))
        for cosine, bound in choose_points(curve.thresholds, curve.upper_bounds)
        if cosine <= 1.0
    )
    record = CalibrationRecord(
        provenance="measured",
        dataset=dataset,
        identities=comparisons.identities,
        genuine_pairs=comparisons.genuine.size + comparisons.genuine_apart.size,
        impostor_pairs=curve.comparisons,
        failures_to_acquire=run.failures,
        command=command,
        note=_note(run, comparisons, curve),
    )
    return MatchCalibration(points=points, record=record, embedder_sha256=embedder_sha256), curve


def _note(run: TemplateRun, comparisons: Comparisons, curve: FmrCurve) -> str:
    return (
        f"{run.photos} photos, {len(run.templates)} templates. Main group: "
        f"{comparisons.main_identities} persons, {comparisons.genuine.size} genuine pairs; fnmr is "
        f"theirs. Measured apart: {comparisons.identities - comparisons.main_identities} persons, "
        f"{comparisons.genuine_apart.size} genuine pairs. Impostor pairs are of one group, from "
        f"{curve.person_pairs} pairs of persons. They share persons, so a bound is the larger of an "
        "identity bootstrap and Clopper-Pearson over the effective number of pairs of persons "
        f"(Korn and Graubard), one-sided {curve.confidence:.0%}, and never below the rate of one "
        "group. Development photos are not the population of a deployment: measure again on your own."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when it could not measure."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        corrections = read_corrections(options.corrections) if options.corrections else Corrections()
        photos = read_photos(options.faces, corrections=corrections, apart=frozenset(options.apart))
        pack = load_pack(options.pack)
        run = embed_photos(photos, pack=pack, console=console)
        comparisons = compare_all(run.templates, unsure=corrections.unsure)
        calibration, curve = calibrate(
            run,
            comparisons,
            embedder_sha256=_embedder_sha256(pack),
            dataset=options.dataset,
            command=_command(options),
            resamples=options.resamples,
            confidence=options.confidence,
            seed=options.seed,
        )
        options.out.write_text(render_calibration(calibration), encoding="utf-8")
    except (PhotoListError, VisionError, OSError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    _print(console, calibration, comparisons, curve, run)
    return 0


def _embedder_sha256(pack: Pack) -> str:
    return next(file.sha256 for file in pack.files if file.role == "embedder")


def _command(options: argparse.Namespace) -> str:
    """The command without this machine's paths."""
    kind, colon, _ = str(options.pack).partition(":")
    parts = [
        f"python -m evaluation.match_calibration --pack {kind}{colon}{'DIR' if colon else ''} --faces DIR"
    ]
    if options.corrections:
        parts.append(f"--corrections {options.corrections.name}")
    parts += [f"--apart {source}" for source in options.apart]
    parts.append(f"--resamples {options.resamples} --confidence {options.confidence:g} --seed {options.seed}")
    return " ".join([*parts, "--out FILE"])


def _print(
    console: Console,
    calibration: MatchCalibration,
    comparisons: Comparisons,
    curve: FmrCurve,
    run: TemplateRun,
) -> None:
    console.print(calibration.record.note, highlight=False)
    console.print(
        f"{run.failures} failures to acquire; {run.milliseconds_per_photo:.0f} ms a photo to detect "
        f"and embed; lowest bound {calibration.lowest_bound:g}",
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
    parser.add_argument("--pack", required=True, help='"embedded" or "insightface:<folder>"')
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
