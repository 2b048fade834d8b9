"""Measures the calibration of a pack for comparisons of a photo with a scan.

::

    python -m lab.studies.scan_match calibrate --pack P [--pack P2] --faces DIR --clips DIR --out FILE
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lab.evaluation.match import (
    THRESHOLDS,
    Corrections,
    MatchEvaluationError,
    common_embedder,
    compare_all,
    embed_photos,
    measure_comparisons,
    read_corrections,
    read_photo_list,
    render_calibration,
    without_folder,
)
from lab.studies.scan_match.clips import ClipError, read_recordings
from lab.studies.scan_match.comparisons import (
    ScanMeasurement,
    calibrate_with_scans,
    compare_scans,
    embed_clip,
    scan_curve,
)
from matcher import PHOTO_SUBJECT, PortraitPolicyInvalid, threshold_cosine
from vision.errors import VisionError
from vision.packs import MatchCalibration, Pack, default_models_dir, load_pack

_REPORTED = (1e-1, 3e-2, 1e-2, 5e-3, 3e-3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    console = Console(width=150)
    # One core per pack, as in a server; several threads of OpenCV only compete for small images.
    cv2.setNumThreads(1)
    try:
        _calibrate(options, console)
    except (ClipError, MatchEvaluationError, VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _calibrate(options: argparse.Namespace, console: Console) -> None:
    recordings = [
        recording
        for folder in options.clips
        for recording in read_recordings(folder, seconds=options.seconds, most=options.scans)
    ]
    packs = [_load(spec) for spec in options.pack]
    embedder = common_embedder(packs)
    corrections = read_corrections(options.corrections) if options.corrections else Corrections()
    photos = read_photo_list(options.faces, corrections=corrections, apart=frozenset(options.apart)).photos
    bounds = {"resamples": options.resamples, "confidence": options.confidence, "seed": options.seed}
    measurements = []
    runs = embed_photos(photos, packs=packs, subject=PHOTO_SUBJECT)
    for spec, pack, run in zip(options.pack, packs, runs, strict=True):
        clips = [
            embed_clip(recording, pack)
            for recording in track(recordings, description=without_folder(spec), console=console)
        ]
        comparisons = compare_scans(clips, run.templates)
        measurements.append(
            ScanMeasurement(
                photos=measure_comparisons(
                    run,
                    compare_all(run.templates, unsure=corrections.unsure),
                    pack=without_folder(spec),
                    **bounds,
                ),
                comparisons=comparisons,
                curve=scan_curve(comparisons, thresholds=THRESHOLDS, **bounds),
                scans=sum(len(clip.scans) for clip in clips),
            )
        )
    calibration = calibrate_with_scans(
        measurements, embedder_sha256=embedder, dataset=options.dataset, command=_command(options)
    )
    options.out.write_text(render_calibration(calibration), encoding="utf-8")
    for measurement in measurements:
        console.print(_table(measurement, calibration))
    console.print(calibration.record.note, highlight=False)


def _table(measurement: ScanMeasurement, calibration: MatchCalibration) -> Table:
    table = Table(
        "bound on FMR", "threshold", "photos: FMR, bound", "scans: FMR to photos", "to frames", "bound",
        "FNMR photos", "FNMR scans",
        title=f"{measurement.photos.pack}: {measurement.scans} scans, {measurement.comparisons.genuine.size} "
        f"genuine, least cosine {measurement.comparisons.genuine.min():.3f}",
    )  # fmt: skip
    photos, scans = measurement.photos.curve, measurement.curve
    for bound in _REPORTED:
        try:
            cosine = threshold_cosine(bound, calibration=calibration)
        except PortraitPolicyInvalid:
            table.add_row(f"{bound:g}", "not supported")
            continue
        at = int(np.searchsorted(THRESHOLDS, cosine, side="right")) - 1
        table.add_row(
            f"{bound:g}",
            f"{cosine:.3f}",
            f"{photos.rates[at]:.2%}, {photos.upper_bounds[at]:.2%}",
            f"{scans.photo_rates[at]:.2%}",
            f"{scans.frame_rates[at]:.2%}",
            f"{scans.upper_bounds[at]:.2%}",
            f"{measurement.photos.comparisons.fnmr(cosine):.1%}",
            f"{measurement.comparisons.fnmr(cosine):.1%}",
        )
    return table


def _load(spec: str) -> Pack:
    return load_pack(spec, models_dir=default_models_dir(os.environ, Path.home()))


def _command(options: argparse.Namespace) -> str:
    """Return the command without this machine's paths."""
    parts = ["python -m lab.studies.scan_match calibrate"]
    parts += [f"--pack {without_folder(spec)}" for spec in options.pack]
    parts.append("--faces DIR --clips DIR")
    if options.corrections:
        parts.append(f"--corrections {options.corrections.name}")
    parts += [f"--apart {source}" for source in options.apart]
    parts.append(f"--seconds {options.seconds:g} --scans {options.scans}")
    parts.append(f"--resamples {options.resamples} --confidence {options.confidence:g} --seed {options.seed}")
    return " ".join([*parts, "--out FILE"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.scan_match", description="Measure scans against photos."
    )
    works = parser.add_subparsers(dest="work", required=True)
    calibrate = works.add_parser("calibrate", help="measure the calibration of comparisons with scans")
    calibrate.add_argument(
        "--pack", required=True, action="append", help="repeatable for other packs of this embedder"
    )
    calibrate.add_argument("--faces", required=True, type=Path, help="folder with photos and manifest.csv")
    calibrate.add_argument("--out", required=True, type=Path, help="calibration file to write")
    calibrate.add_argument("--corrections", type=Path, help="file with the known errors of the labels")
    calibrate.add_argument("--apart", action="append", default=[], help="source to measure separately")
    calibrate.add_argument(
        "--dataset", default="Facegate development faces and clips", help="name of the data for the record"
    )
    calibrate.add_argument("--resamples", type=int, default=2000, help="bootstrap samples")
    calibrate.add_argument("--confidence", type=float, default=0.95, help="one-sided, for the bounds")
    calibrate.add_argument(
        "--clips", required=True, type=Path, nargs="+", help="folders with live clips, one per person"
    )
    calibrate.add_argument("--seconds", type=float, default=4.0, help="length of a scan")
    calibrate.add_argument("--scans", type=int, default=3, help="largest number of scans of a clip")
    calibrate.add_argument("--seed", type=int, default=1, help="seed of the draws")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
