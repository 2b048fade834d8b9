"""Reads the photos of the study, with the labels of their mouths."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from lab.evaluation.match import PhotoListError
from lab.evaluation.match.photos import path_inside, read_rows
from matcher.conformance.interface import PortraitView
from vision.face import BgrImage, Box
from vision.packs import Pack
from vision.pose import estimate_pose

_LABELS: Final = Path(__file__).with_name("mouth_labels.toml")
_AROUND: Final = (-2.2, -2.4, 2.2, 3.2)
"""The area around the middle of the eyes that is kept: left, top, right and bottom, eye distances."""


@dataclass(frozen=True, slots=True)
class StudiedFace:
    """The largest face of one photo.

    Attributes:
        source: Source of the photo: the repository's owner, and the note of the manifest; shortened.
        group: The person's name if known, else the repository; photos of one group may show one person.
        fold: As ``group``, but all photos of a repository are one fold, except for the set of masks.
        covered: Whether something covers the mouth; None if that is not clear.
    """

    source: str
    group: str
    fold: str
    covered: bool | None
    view: PortraitView

    @property
    def eyes(self) -> float:
        """Distance of the eyes, pixels."""
        return self.view.face.eye_distance


def studied_faces(data: Path, *, pack: Pack, name: str, every: int = 1) -> Iterator[StudiedFace]:
    """Yield the largest face of every colour photo of ``faces`` and of every live image of ``pad``.

    Args:
        data: Folder with both data sets and their manifests.
        pack: Finds faces and landmarks; photos without either are omitted.
        name: Name of the pack, for the progress bar.
        every: Use every n-th photo only.

    Raises:
        PhotoListError: A manifest or a photo cannot be read, or the labels contradict each other.
    """
    labels = tomllib.loads(_LABELS.read_text(encoding="utf-8"))
    needed = ("file", "source_repo", "label", "identity", "attack_type", "note")
    rows = [
        (
            path_inside(data / folder, row["file"], where=f"{folder}/manifest.csv"),
            row,
            _covered(row["file"], masks=row["attack_type"] == "mask", labels=labels),
        )
        for folder in ("faces", "pad")
        for row in read_rows(data / folder / "manifest.csv", needed=needed)[1]
        if row["label"] != "spoof" and not row["file"].endswith(".pgm")
    ]
    for path, row, covered in track(rows[::every], description=name, console=Console(stderr=True)):
        view = _view(path, pack)
        if view is not None:
            identity = row["identity"].rstrip("?")
            yield StudiedFace(
                source=f"{row['source_repo'].partition('/')[0]}; {row['note']}"[:40],
                group=identity or row["source_repo"],
                fold=identity if row["attack_type"] == "mask" else row["source_repo"],
                covered=covered,
                view=view,
            )


def portrait_at(view: PortraitView, *, eyes: float) -> PortraitView:
    """Return the portrait cut to head and shoulders, and reduced to an eye distance of ``eyes`` pixels."""
    factor = eyes / view.face.eye_distance
    middle = view.face.five_points[:2].mean(axis=0)
    edges = np.rint(np.tile(middle, 2) + np.array(_AROUND) * view.face.eye_distance).astype(int)
    height, width = view.image.shape[:2]
    left, top, right, bottom = np.clip(edges, 0, (width, height, width, height)).tolist()
    part = view.image[top:bottom, left:right]
    image = _pixels(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))

    def moved(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((points - (left, top) + 0.5) * factor - 0.5, dtype=np.float32)

    box = view.face.box
    corners = moved(np.array([(box.left, box.top), (box.right, box.bottom)], dtype=np.float32)).ravel()
    face = replace(view.face, box=Box(*corners.tolist()), five_points=moved(view.face.five_points))
    known = view.landmarks
    landmarks = None if known is None else replace(known, points=moved(known.points))
    return replace(view, image=image, encoded=b"", faces=(face,), face=face, landmarks=landmarks)


def _view(path: Path, pack: Pack) -> PortraitView | None:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise PhotoListError(f"{path} cannot be read as a picture: expected every photo of the manifest")
    pixels = _pixels(image)
    faces = pack.detector.detect(pixels)
    if not faces or pack.landmarker is None:
        return None
    face = max(faces, key=lambda each: each.box.area)
    landmarks = pack.landmarker.locate(pixels, face)
    if landmarks is None:
        return None
    return PortraitView(
        image=pixels,
        encoded=path.read_bytes(),
        media_type="",
        faces=(face,),
        face=face,
        landmarks=landmarks,
        pose=estimate_pose(landmarks, (pixels.shape[1], pixels.shape[0])),
    )


def _covered(name: str, *, masks: bool, labels: dict[str, list[str]]) -> bool | None:
    known = {
        label for label in ("covered", "bare", "left_out") if any(part in name for part in labels[label])
    }
    if len(known) > 1:
        raise PhotoListError(f"{_LABELS.name} has several labels for {name}: {', '.join(sorted(known))}")
    if "left_out" in known:
        return None
    return "covered" in known or (masks and "bare" not in known)


def _pixels(image: NDArray[np.generic]) -> BgrImage:
    return image.astype(np.uint8, copy=False)
