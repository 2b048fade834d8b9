"""Lists the images on which a PAD network is trained and evaluated, and groups them.

An image belongs to a *source* (the repository that published it) and a *session* (images taken in one
sitting, by their file names: Unix times, camera counters, days). Images of one session share light, camera
and often the person, so that a split by image would test memorised data.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from research.pad_network.errors import MaterialError

__all__ = ["LARGEST_SOURCE", "Picture", "pad_pictures", "portrait_pictures"]

LARGEST_SOURCE: Final = "feni-katharotiya/Silent-Face-Anti-Spoofing-TFLite"
_UNIX_TIME: Final = re.compile(r"(1[56]\d{8})")
_DAY: Final = re.compile(r"(20\d{6})_?\d*")
_GREY_SOURCES: Final = frozenset({"vidhiamin/FaceRecognition"})
_SECONDS_OF_A_SESSION: Final = 1000


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the development data.

    Attributes:
        path: The file.
        source: The repository that published it.
        session: Images with the same source and session were taken together, by their names.
        is_live: Whether it is a bona fide presentation.
        species: ``"live"``, ``"print"`` or ``"screen"``; ``"portrait"`` for a photo of the face collection,
            bona fide but of unknown cameras and editing.
    """

    path: Path
    source: str
    session: str
    is_live: bool
    species: str


def pad_pictures(folder: Path) -> tuple[Picture, ...]:
    """Read the images labelled for presentation attack detection.

    Args:
        folder: Folder with ``manifest.csv`` and the images.

    Raises:
        MaterialError: The manifest cannot be read.
    """
    return tuple(
        Picture(
            path=folder / row["file"],
            source=row["source_repo"],
            session=_session(row["source_repo"], row["path"], row["label"]),
            is_live=row["label"] == "live",
            species=_species(row["label"], row["attack_type"]),
        )
        for row in _rows(folder / "manifest.csv")
    )


def portrait_pictures(folder: Path) -> tuple[Picture, ...]:
    """Read the colour photos of faces with identities: bona fide, but with unknown editing.

    Args:
        folder: Folder with ``manifest.csv`` and the photos.

    Raises:
        MaterialError: The manifest cannot be read.
    """
    return tuple(
        Picture(
            path=folder / row["file"],
            source=row["source_repo"],
            session=row["identity"],
            is_live=True,
            species="portrait",
        )
        for row in _rows(folder / "manifest.csv")
        if row["source_repo"] not in _GREY_SOURCES
    )


def _rows(manifest: Path) -> Iterator[dict[str, str]]:
    try:
        with manifest.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        yield from (row for row in rows if row["usable"] == "1")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise MaterialError(
            f"{manifest.name} cannot be read as a manifest ({type(error).__name__})"
        ) from error


def _species(label: str, attack_type: str) -> str:
    """Return the species; ``"screen:phone"``, ``"screen?"`` and ``"screen (...)"`` are all screens."""
    return "live" if label == "live" else re.split(r"[:?\s]", attack_type, maxsplit=1)[0]


def _session(source: str, path: str, label: str) -> str:
    if source != LARGEST_SOURCE:
        return label
    folder, _, name = path.rpartition("/")
    folder = folder.rpartition("/")[2].removesuffix("_aspect_resized")
    stem = name.rpartition(".")[0]
    if found := _UNIX_TIME.search(stem):
        return f"time {int(found[1]) // _SECONDS_OF_A_SESSION}"
    if found := _DAY.search(stem):
        return f"{folder} {found[1]}"
    return f"{folder} {re.sub(r'[0-9()]+', '', stem).strip(' _-') or 'numbers'}"
