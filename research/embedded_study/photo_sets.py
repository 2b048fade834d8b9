"""The photos that are studied: with identities, selfies grouped by another matcher, and clips."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from evaluation.match.corrections import read_corrections
from evaluation.match.errors import PhotoListError
from evaluation.match.photos import read_photos
from vision.errors import ModelFailed
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["PhotoSet", "clip_frames", "labelled_photos", "selfies"]

_CORRECTIONS: Final = Path(__file__).resolve().parent.parent / "label_corrections.toml"
_SAME_GROUP: Final = 0.5
_MAYBE_SAME: Final = 0.3
_MOST_OF_ONE: Final = 6
_LONG_SIDE: Final = 640


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Photos that are compared among themselves.

    Attributes:
        name: For tables.
        images: The photos.
        identities: Shape (n,), who each shows.
        unsure: Pairs of identities that may be one person; they are not compared.
    """

    name: str
    images: tuple[BgrImage, ...]
    identities: NDArray[np.str_]
    unsure: frozenset[frozenset[str]]


def labelled_photos(faces: Path, *, apart: str) -> PhotoSet:
    """The colour photos with identities.

    Args:
        faces: Holds the photos and ``manifest.csv``.
        apart: Source of identities that is left out.

    Raises:
        PhotoListError: The manifest or the corrections cannot be read.
    """
    corrections = read_corrections(_CORRECTIONS)
    photos = read_photos(faces, corrections=corrections, apart=frozenset({apart}))
    kept = [(photo.identity, image) for photo in photos if not photo.apart for image in _read(photo.path)]
    return PhotoSet(
        name="photos",
        images=tuple(image for _, image in kept),
        identities=np.array([identity for identity, _ in kept]),
        unsure=corrections.unsure,
    )


def selfies(folder: Path, *, pack: Pack) -> PhotoSet:
    """Bona fide photos without names, grouped by the templates of another pack.

    The groups are average-linkage clusters at a cosine of 0.5, of which the first six photos are taken;
    groups of which any two photos reach 0.3 are not compared with each other. So what is hard for the
    other pack is left out: good for comparing ways to use one embedder, no measure of its error rates.

    Args:
        folder: Holds the photos and ``manifest.csv`` with the columns ``file``, ``label`` and ``usable``.
        pack: Its detector and embedder.

    Raises:
        PhotoListError: The manifest cannot be read.
    """
    found: list[tuple[BgrImage, NDArray[np.float64]]] = []
    for path in _live_files(folder):
        for image in _read(path):
            template = _template(image, pack)
            if template is not None:
                found.append((image, template))
    stack = np.stack([template for _, template in found])
    labels = fcluster(linkage(stack, "average", metric="cosine"), 1.0 - _SAME_GROUP, "distance")
    taken: Counter[int] = Counter()
    kept = []
    for index, label in enumerate(labels.tolist()):
        taken[label] += 1
        if taken[label] <= _MOST_OF_ONE:
            kept.append(index)
    identities = np.array([f"group {labels[index]}" for index in kept])
    near = np.argwhere(stack[kept] @ stack[kept].T > _MAYBE_SAME)
    return PhotoSet(
        name="selfies",
        images=tuple(found[index][0] for index in kept),
        identities=identities,
        unsure=frozenset(
            frozenset((str(identities[one]), str(identities[other])))
            for one, other in near
            if identities[one] != identities[other]
        ),
    )


def clip_frames(folder: Path, *, frames: int) -> Iterator[tuple[str, list[BgrImage]]]:
    """Frames of every clip, evenly spread, at most 640 pixels wide or high, as a phone would send them.

    Args:
        folder: Holds clips of one person each.
        frames: How many of each.
    """
    for path in sorted(folder.iterdir()):
        count = _count(path)
        wanted = set(np.linspace(0, count - 1, frames).astype(int).tolist())
        if len(wanted) < frames:
            continue
        capture = cv2.VideoCapture(str(path))
        chosen = []
        for at in range(count):
            capture.grab()
            if at in wanted:
                ok, image = capture.retrieve()
                if ok:
                    chosen.append(_shrunk(np.asarray(image, dtype=np.uint8)))
        capture.release()
        yield path.stem, chosen


def _count(path: Path) -> int:
    """Frames that can be read; the header of some clips does not say."""
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def _shrunk(image: BgrImage) -> BgrImage:
    scale = min(1.0, _LONG_SIDE / max(image.shape[:2]))
    return np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def _live_files(folder: Path) -> list[Path]:
    try:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return [folder / row["file"] for row in rows if row["label"] == "live" and row["usable"] == "1"]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise PhotoListError(f"{folder.name}/manifest.csv cannot be read: {error!r}") from error


def _read(path: Path) -> list[BgrImage]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return [] if image is None else [image.astype(np.uint8, copy=False)]


def _template(image: BgrImage, pack: Pack) -> NDArray[np.float64] | None:
    try:
        faces = pack.detector.detect(image)
        return pack.embedder.embed(image, faces[0]).astype(np.float64) if len(faces) == 1 else None
    except ModelFailed:
        return None
