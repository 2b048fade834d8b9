"""Options and packs of the two commands on matching."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evaluation.match import Corrections, FacePhoto, PhotoListError, read_corrections, without_folder
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, load_pack

__all__ = [
    "AnyPacksOption",
    "ApartOption",
    "ConfidenceOption",
    "CorrectionsOption",
    "PacksOption",
    "ResamplesOption",
    "SeedOption",
    "WorkersOption",
    "bootstrap_options",
    "load_packs",
    "pack_names",
    "read_optional_corrections",
    "require_apart",
    "worker_count",
]


PacksOption = Annotated[
    list[str],
    typer.Option(
        "--pack",
        help="Pack; may be repeated. For example `open`, `embedded` or `insightface:<folder>`.",
        show_default=False,
    ),
]
AnyPacksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pack",
        help="Pack; may be repeated. For example `open`, `embedded` or `insightface:<folder>`.  "
        "[default: embedded]",
        show_default=False,
    ),
]
CorrectionsOption = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with known errors of the labels: `same_person`, `unsure`, `wrong_label`, each with "
        "its reason.",
        show_default=False,
    ),
]
ApartOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Source of identities (the part before the colon) that is measured separately and never "
        "compared with the others; may be repeated.",
        show_default=False,
    ),
]
ResamplesOption = Annotated[int, typer.Option(help="Samples of the bootstrap.", min=100, max=20_000)]
ConfidenceOption = Annotated[
    float,
    typer.Option(
        help="Confidence level: one-sided for bounds on FMR, two-sided for FNMR.", min=0.9, max=0.999
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        help="Threads that embed photos.  [default: one for each core]", min=1, max=64, show_default=False
    ),
]
SeedOption = Annotated[int, typer.Option(help="Seed of the bootstrap.", min=0)]


def worker_count(workers: int | None) -> int:
    """Return the number of threads: by default one for each core that this process may use."""
    return workers or len(os.sched_getaffinity(0))


def load_packs(specs: Sequence[str], *, models_dir: Path) -> tuple[Pack, ...]:
    """Load packs in the given order. Each model runs on one thread.

    Raises:
        vision.errors.PackError: One of them cannot be used.
    """
    runtime = RuntimeOptions(intra_op_threads=1)
    return tuple(load_pack(spec, models_dir=models_dir, runtime=runtime) for spec in specs)


def pack_names(specs: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the packs in reports: without folders if the names stay distinct."""
    short = tuple(without_folder(spec) for spec in specs)
    return short if len(set(short)) == len(specs) else tuple(specs)


def read_optional_corrections(file: Path | None) -> Corrections:
    """Return the corrections of a file; none without a file.

    Raises:
        PhotoListError: The file cannot be read, or breaks its form.
    """
    return Corrections() if file is None else read_corrections(file)


def bootstrap_options(resamples: int, confidence: float, seed: int) -> tuple[str, ...]:
    """Return the command-line options that repeat the bootstrap."""
    return ("--resamples", str(resamples), "--confidence", f"{confidence:g}", "--seed", str(seed))


def require_apart(photos: Sequence[FacePhoto], apart: Collection[str]) -> None:
    """Verify that the sources of `--apart` exist, because a wrong name would have no effect.

    Raises:
        PhotoListError: No photo has such a source.
    """
    sources = {photo.identity.partition(":")[0] for photo in photos if photo.apart}
    for source in apart:
        if source not in sources:
            raise PhotoListError(f"no identity has the source {source!r}, given with --apart: correct it")
