"""Embeds photos with a progress bar, and an isolated decoder for formats that need it."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.match import (
    MOST_TEMPLATES,
    AcquisitionFault,
    Degradation,
    FacePhoto,
    NothingToMeasure,
    TemplateRun,
    embed_photos,
)
from formats.image_header import detect_format
from matcher import SubjectRule
from vision.image import IN_PROCESS, StillDecoder
from vision.isolation.pool import DecoderPool
from vision.packs import Pack

__all__ = ["acquired", "embed_with_progress", "needs_decoder"]

_NAMED = 3


def embed_with_progress(
    photos: Sequence[FacePhoto],
    *,
    packs: Sequence[Pack],
    subject: SubjectRule,
    portraits: Sequence[Degradation] = (),
    workers: int,
    console: Console,
) -> tuple[TemplateRun, ...]:
    """Embed every photo with every pack.

    Args:
        photos: The photos.
        packs: The packs.
        subject: Defines which faces of a photo count as persons.
        portraits: Degradations in which each photo is embedded, too.
        workers: Number of threads.
        console: Shows the progress and the files that could not be read; results go elsewhere.

    Raises:
        NothingToMeasure: There is no photo, there are more than can be compared, or a pack made no
            template of any photo.
    """
    if not photos:
        raise NothingToMeasure(
            "there is no photo to measure: correct the manifest's columns file and identity"
        )
    if len(photos) > MOST_TEMPLATES:
        raise NothingToMeasure(
            f"{len(photos)} photos are too many to measure at once; at most {MOST_TEMPLATES}. Use fewer "
            "photos of each person: more persons support lower rates, more photos do not"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        decoder: StillDecoder | None = None
        if any(needs_decoder(photo.path) for photo in photos):
            decoder = stack.enter_context(DecoderPool(still_workers=workers))
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        task = progress.add_task("Detecting and embedding", total=len(photos))
        runs = embed_photos(
            photos,
            packs=packs,
            subject=subject,
            still_decoder=decoder,
            portraits=portraits,
            workers=workers,
            report=lambda: progress.advance(task),
        )
    _name_unreadable(photos, runs[0], console)
    for pack, run in zip(packs, runs, strict=True):
        if not run.templates:
            raise NothingToMeasure(
                f"the pack {pack.name} finds no photo with one face, or one clear subject, among "
                f"{len(photos)}: give photos of faces"
            )
    return runs


def acquired(run: TemplateRun) -> NDArray[np.bool_]:
    """Return an array of shape (photos,): true for photos with a template."""
    found = np.ones(run.photos, dtype=np.bool_)
    found[list(run.faults)] = False
    return found


def needs_decoder(path: Path) -> bool:
    """Return whether a file has a format that only the isolated decoder reads."""
    try:
        with path.open("rb") as stream:
            found = detect_format(stream.read(64))
    except OSError:
        return False
    return found is not None and found not in IN_PROCESS


def _name_unreadable(photos: Sequence[FacePhoto], run: TemplateRun, console: Console) -> None:
    names = [
        photos[number].path.name
        for number, fault in run.faults.items()
        if fault is AcquisitionFault.UNREADABLE
    ]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.print(
            escape(f"{len(names)} files cannot be read as images: {', '.join(names[:_NAMED])}{more}"),
            style="yellow",
            highlight=False,
        )
