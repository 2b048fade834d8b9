"""Makes the templates of photo sets, once, and keeps them in a file."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.match.pictures import read_picture
from vision.errors import ImageError, ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack

__all__ = ["FOLDERS", "TemplateSet", "embed", "read_templates", "write_templates"]

FOLDERS: Final = ("faces_lfw", "faces_groups")
_SURE: Final = 0.6


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """The templates of photos, with their labels.

    Attributes:
        vectors: Shape (n, d), each of length 1.
        files: Shape (n,), file names.
        identities: Shape (n,), the persons.
        sources: Shape (n,), the part of the identity before its colon.
        groups: Shape (n,), the group that the source names; empty without one.
        sexes: Shape (n,), likewise.
        failures: Photos without a template.
    """

    vectors: NDArray[np.float32]
    files: NDArray[np.str_]
    identities: NDArray[np.str_]
    sources: NDArray[np.str_]
    groups: NDArray[np.str_]
    sexes: NDArray[np.str_]
    failures: int


def embed(data: Path, pack: Pack, *, done: Callable[[], None] = lambda: None) -> TemplateSet:
    """Embed the most central sure face of every usable photo, if its features are found.

    Args:
        data: Contains the folders of photos, each with a ``manifest.csv``.
        pack: Finds and embeds the faces.
        done: Called after each photo.
    """
    rows, vectors, failures = [], [], 0
    for folder in FOLDERS:
        with (data / folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            listed = [row for row in csv.DictReader(file) if row["usable"] == "1"]
        for row in listed:
            try:
                image = read_picture(data / folder / row["file"], still_decoder=None)
                face = _central(pack.detector.detect(image), image)
                shown = face is not None and pack.shows_features(image, face)
                vector = pack.embedder.embed(image, face) if face is not None and shown else None
            except (ImageError, ModelFailed):
                vector = None
            if vector is None:
                failures += 1
            else:
                rows.append(row)
                vectors.append(vector)
            done()

    def column(name: str) -> NDArray[np.str_]:
        return np.array([row.get(name, "") for row in rows])

    identities = column("identity")
    return TemplateSet(
        vectors=np.stack(vectors),
        files=column("file"),
        identities=identities,
        sources=np.array([identity.partition(":")[0] for identity in identities]),
        groups=column("group"),
        sexes=column("sex"),
        failures=failures,
    )


def _central(faces: Sequence[DetectedFace], image: BgrImage) -> DetectedFace | None:
    height, width = image.shape[:2]

    def off_centre(face: DetectedFace) -> float:
        x, y = face.box.centre
        return float(np.hypot(x - width / 2, y - height / 2))

    sure = [face for face in faces if face.confidence >= _SURE] or list(faces[:1])
    return min(sure, key=off_centre, default=None)


def write_templates(templates: TemplateSet, path: Path) -> None:
    """Write a file that only the study reads: templates are biometric data."""
    path.touch(mode=0o600)
    # Given a path without ".npz", NumPy would write beside it, into a file that others may read.
    with path.open("wb") as stream:
        np.savez(stream, **{name: getattr(templates, name) for name in TemplateSet.__slots__})


def read_templates(path: Path) -> TemplateSet:
    """Read such a file."""
    with np.load(path, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in TemplateSet.__slots__ if name != "failures"}
        return TemplateSet(**columns, failures=int(stored["failures"]))
