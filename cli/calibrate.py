"""``facegate calibrate match``: measures a pack's false match rates on the operator's own photos."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.chosen import models_folder
from cli.errors import OutputUnusable, errors_reported
from cli.evaluate import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    ApartOption,
    CorrectionsOption,
    PacksOption,
    load_packs,
    read_optional_corrections,
    require_apart,
    worker_count,
)
from cli.options import command_line
from evaluation.match import (
    MatchEvaluationError,
    NothingToMeasure,
    PackMeasurement,
    calibrate,
    common_embedder,
    compare_all,
    embed_with_progress,
    measure_comparisons,
    not_supported,
    persons_needed,
    read_photo_list,
    render_calibration,
    without_folder,
)
from formats.private_files import write_atomically
from matcher import PHOTO_SUBJECT, similarity_for_fmr, threshold_cosine
from vision.errors import VisionError
from vision.packs import MatchCalibration

_LEAST_WORTH = 0.1
_REPORTED = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)


def calibrate_command(
    *,
    identities: Annotated[
        Path,
        typer.Option(help="Folder with photos. It has a `manifest.csv`, or a subfolder for each person."),
    ],
    pack: PacksOption,
    out: Annotated[Path, typer.Option(help="Calibration file to write.")],
    corrections: CorrectionsOption = None,
    apart: ApartOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Measure a pack's false match rates on your own photos, and write its calibration file.

    All photos of different persons are compared, and a bound on the false match rate (FMR) is computed at
    each cosine. Only bounds that the number of persons supports are written: 26 persons support 1e-2 at best,
    79 support 1e-3, 247 support 1e-4 and 776 support 1e-5. Use photos like those that your service receives,
    including selfies: single photos are compared, and a scan is judged by several frames.

    Name the file in the setting `calibration`, and the server uses it in place of its own. Packs that share
    an embedder can be given together; then the worst of them counts at each cosine.

    `manifest.csv` has the columns `file` (relative to the folder) and `identity`.

    For example:

        facegate calibrate match --identities photos --pack open --out open.toml

        FACEGATE_CALIBRATION=open.toml FACEGATE_PACK=open facegate serve
    """
    console, errors = Console(), Console(stderr=True)
    with errors_reported(MatchEvaluationError, VisionError, OSError):
        _require_writable(out, force=force)
        known = read_optional_corrections(corrections)
        photos = read_photo_list(identities, corrections=known, apart=apart or ()).photos
        require_apart(photos, apart or ())
        packs = load_packs(pack, models_dir=models_folder())
        embedder = common_embedder(packs)
        runs = embed_with_progress(
            photos,
            packs=packs,
            subject=PHOTO_SUBJECT,
            workers=worker_count(),
            console=errors,
        )
        with errors.status("Computing bounds"):
            measurements = [
                measure_comparisons(
                    run,
                    compare_all(run.templates, unsure=known.unsure),
                    pack=without_folder(spec),
                    resamples=RESAMPLES,
                    confidence=CONFIDENCE,
                    seed=SEED,
                )
                for spec, run in zip(pack, runs, strict=True)
            ]
            calibration = calibrate(
                measurements,
                embedder_sha256=embedder,
                dataset="photos of the operator",
                scored=packs[0],
                command=command_line(
                    *("facegate", "calibrate", "match", "--identities", "DIR"),
                    pack=map(without_folder, pack),
                    corrections=corrections,
                    apart=apart,
                    out="FILE",
                ),
            )
        _require_useful(calibration)
        _write(out, render_calibration(calibration))
    for measurement in measurements:
        _print_measurement(console, calibration, measurement)
    console.print(
        escape(
            f"Written to {out}. The server uses it with the setting: calibration = {str(out.resolve())!r}"
        ),
        highlight=False,
        soft_wrap=True,
    )


def _require_writable(out: Path, *, force: bool) -> None:
    """Verify before any long work that the file can be written."""
    if not out.absolute().parent.is_dir():
        raise OutputUnusable(f"{out} cannot be written: the folder {out.parent} does not exist")
    if out.is_dir():
        raise OutputUnusable(f"{out} is a folder: give a file to write")
    if out.exists() and not force:
        raise OutputUnusable(f"{out} exists: choose another name, or use --force")


def _require_useful(calibration: MatchCalibration) -> None:
    record, bound = calibration.record, calibration.lowest_bound
    if record.genuine_pairs == 0:
        raise NothingToMeasure(
            "no person has two photos, so false non-matches (FNMR) cannot be measured: add photos"
        )
    if bound > _LEAST_WORTH:
        raise NothingToMeasure(
            f"{record.identities} persons support no bound on FMR below {bound:.2g}, which no policy "
            f"can use: {_LEAST_WORTH:g} needs "
            f"about {persons_needed(_LEAST_WORTH, confidence=CONFIDENCE)} persons"
        )


def _write(out: Path, text: str) -> None:
    # Atomic: a server that reads the file sees either the old or the new content.
    write_atomically(out, text.encode(), over=True)
    out.chmod(0o644)


def _print_measurement(console: Console, calibration: MatchCalibration, measurement: PackMeasurement) -> None:
    run, comparisons, curve = measurement.run, measurement.comparisons, measurement.curve
    table = Table(title=Text(measurement.pack, "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("bound on FMR", "similarity", "cosine", "FMR measured", "FNMR"):
        table.add_column(name, justify="right")
    apart = comparisons.genuine_apart.size > 0
    if apart:
        table.add_column("FNMR apart", justify="right")
    for bound in _REPORTED:
        if bound < calibration.lowest_bound:
            break
        cosine = threshold_cosine(bound, calibration=calibration)
        index = int(np.searchsorted(curve.thresholds, cosine, side="right")) - 1
        row = [
            f"{bound:g}",
            f"{similarity_for_fmr(bound):.0f}",
            f"{cosine:.3f}",
            f"{curve.rates[index]:.1e}",
            f"{comparisons.fnmr(cosine):.2%}" if comparisons.genuine.size else "no pairs",
        ]
        table.add_row(*row, *([f"{comparisons.fnmr_apart(cosine):.2%}"] if apart else []))
    console.print(table)
    console.print(
        f"{run.photos} photos of {comparisons.identities} persons, {run.failures} failures to acquire, "
        f"{comparisons.genuine.size + comparisons.genuine_apart.size:,} genuine and {curve.comparisons:,} "
        f"impostor comparisons of {curve.person_pairs:,} pairs of persons; lowest bound "
        f"{calibration.lowest_bound:g}.",
        highlight=False,
    )
    missing = next((bound for bound in _REPORTED if bound < calibration.lowest_bound), None)
    if missing is not None:
        needed = persons_needed(missing, confidence=CONFIDENCE)
        console.print(f"A bound of {not_supported(missing, needed)}.", highlight=False)


app = typer.Typer(help="Derive thresholds from your own data.", no_args_is_help=True)
app.command("match")(calibrate_command)


@app.callback()
def _calibrate() -> None:
    """Derive thresholds from your own data."""  # Keeps `match` a subcommand although it is the only one.
