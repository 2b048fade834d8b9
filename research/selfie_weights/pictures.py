"""Scores the labelled images with the eight signals."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from formats.picture_metadata import read_exif_tags
from liveness.selfie import SelfieSettings, judge_selfie, load_selfie_model
from vision.errors import ModelFailed
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["Group", "ScoredPictures", "groups_of", "score_pictures"]

_HALVES = 2


@dataclass(frozen=True, slots=True)
class ScoredPictures:
    """The scores of the images in which a pack found a face.

    Attributes:
        scores: Shape (images, 8), in the order of ``liveness.selfie.SIGNAL_NAMES``.
        live: Shape (images,): whether each shows a live person.
        screen: Shape (images,): whether each shows a screen, by its label.
        folds: Shape (images,): the fold: a source, or half of the largest source by the order of its files'
            names, which begin with the time of the session.
        largest: Shape (images,): whether each is of the largest source.
        without_face: Live and attack images without a face.
    """

    scores: NDArray[np.float64]
    live: NDArray[np.bool_]
    screen: NDArray[np.bool_]
    folds: NDArray[np.str_]
    largest: NDArray[np.bool_]
    without_face: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Live images and attacks that are compared with each other; indices into the images.

    Attributes:
        name: Name of the comparison.
        live: Indices of the live images.
        attacks: Indices of the attacks.
    """

    name: str
    live: NDArray[np.intp]
    attacks: NDArray[np.intp]


def score_pictures(pack: Pack, folder: Path) -> ScoredPictures:
    """Scores every usable image of ``folder``.

    Args:
        pack: Finds faces and landmarks.
        folder: Folder with ``manifest.csv``.

    Raises:
        OSError: There is no manifest.
        KeyError: It lacks a column.
        ValueError: It names no usable image, or none has a face.
    """
    rows = _rows(folder / "manifest.csv")
    if not rows:
        raise ValueError("the manifest names no usable picture")
    folds = _folds(rows)
    model, settings = load_selfie_model(), SelfieSettings()
    kept: list[int] = []
    scores: list[list[float]] = []
    without = [0, 0]
    for index, content, image in _pictures(rows, folder):
        try:
            faces = pack.detector.detect(image)
            landmarks = pack.landmarker.locate(image, faces[0]) if faces and pack.landmarker else None
        except ModelFailed:
            faces, landmarks = (), None
        result = judge_selfie(
            image=image,
            face=faces[0] if faces else None,
            landmarks=landmarks,
            exif=read_exif_tags(content),
            settings=settings,
            model=model,
        )
        if result.face_detected:
            kept.append(index)
            scores.append([signal.score or 0.0 for signal in result.signals])
        else:
            without[rows[index]["label"] != "live"] += 1
    if not kept:
        raise ValueError("no picture has a face")
    sources = [rows[index]["source_repo"] for index in kept]
    largest = max(set(sources), key=sources.count)
    return ScoredPictures(
        scores=np.array(scores),
        live=np.array([rows[index]["label"] == "live" for index in kept]),
        screen=np.array(["screen" in rows[index]["attack_type"] for index in kept]),
        folds=np.array([folds[index] for index in kept]),
        largest=np.array([source == largest for source in sources]),
        without_face=(without[0], without[1]),
    )


def groups_of(pictures: ScoredPictures, among: NDArray[np.bool_] | None = None) -> tuple[Group, ...]:
    """Group prints and screens of the largest source, and the other sources' attacks, with their live images.

    Args:
        pictures: All images.
        among: Shape (images,): the images to use; all if None. A group without live images or attacks is
            omitted.
    """
    chosen = np.ones_like(pictures.live) if among is None else among
    inside, outside = chosen & pictures.largest, chosen & ~pictures.largest
    named = (
        ("largest source, prints", inside & pictures.live, inside & ~pictures.live & ~pictures.screen),
        ("largest source, screens", inside & pictures.live, inside & ~pictures.live & pictures.screen),
        ("other sources", outside & pictures.live, outside & ~pictures.live),
    )
    return tuple(
        Group(name, np.flatnonzero(live), np.flatnonzero(attacks))
        for name, live, attacks in named
        if live.any() and attacks.any()
    )


def _rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["usable"] == "1"]


def _folds(rows: Sequence[dict[str, str]]) -> list[str]:
    sources = [row["source_repo"] for row in rows]
    largest = max(set(sources), key=sources.count)
    folds = list(sources)
    for label in ("live", "spoof"):
        at = [
            index for index, row in enumerate(rows) if row["source_repo"] == largest and row["label"] == label
        ]
        at.sort(key=lambda index: rows[index]["file"])
        for place, index in enumerate(at):
            folds[index] = f"{largest}, half {1 + place * _HALVES // len(at)}"
    return folds


def _pictures(rows: Sequence[dict[str, str]], folder: Path) -> Iterator[tuple[int, bytes, BgrImage]]:
    for index, row in enumerate(track(rows, description="pictures", console=Console(stderr=True))):
        content = (folder / row["file"]).read_bytes()
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if decoded is not None:
            yield index, content, decoded.astype(np.uint8, copy=False)
