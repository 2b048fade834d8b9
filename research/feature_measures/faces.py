"""Finds faces of photos and clips, with landmarks of both kinds."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from matcher import PHOTO_SUBJECT, persons_among
from matcher.conformance.interface import PortraitView
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.packs import Pack
from vision.pose import estimate_pose

__all__ = ["Face", "Landmarkers", "faces_of_clips", "faces_of_photos", "portrait_of"]

_SMALLEST: Final = 40.0
"""Least eye distance of a photo in the study, pixels."""
_SMALL_GREY_SET: Final = "orl:"
_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
_MOST_FRAMES: Final = 240
_EVERY: Final = 2


@dataclass(frozen=True, slots=True)
class Landmarkers:
    """The pack that finds faces, and the two kinds of landmarks.

    Attributes:
        finder: Its detector finds faces; its landmarks are MediaPipe's.
        dlib: Its landmarks are dlib's.
    """

    finder: Pack
    dlib: Pack

    def find_face(self, image: BgrImage, *, name: str, identity: str) -> "Face | None":
        """Find the face in an image; None if there is none, or one kind of landmarks is missing."""
        faces = self.finder.detector.detect(image)
        if not faces or self.finder.landmarker is None or self.dlib.landmarker is None:
            return None
        face = persons_among(faces, size=(image.shape[1], image.shape[0]), rule=PHOTO_SUBJECT)[0]
        found = {
            key: landmarker.locate(image, face)
            for key, landmarker in (("mediapipe", self.finder.landmarker), ("dlib", self.dlib.landmarker))
        }
        known = {key: landmarks for key, landmarks in found.items() if landmarks is not None}
        return Face(name, identity, image, face, known) if len(known) == len(found) else None


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face.

    Attributes:
        name: Name of the file.
        identity: The person; the file's name if unknown.
        image: The image.
        face: The detected face.
        landmarks: Landmarks by ``"mediapipe"`` and ``"dlib"``.
    """

    name: str
    identity: str
    image: BgrImage
    face: DetectedFace
    landmarks: Mapping[str, Landmarks]


def portrait_of(face: Face, key: str) -> PortraitView:
    """Return the face as a portrait with one kind of landmarks."""
    landmarks = face.landmarks[key]
    size = (face.image.shape[1], face.image.shape[0])
    pose: HeadPose = estimate_pose(landmarks, size)
    return PortraitView(
        image=face.image,
        encoded=b"",
        media_type="",
        faces=(face.face,),
        face=face.face,
        landmarks=landmarks,
        pose=pose,
    )


def faces_of_photos(folder: Path, landmarkers: Landmarkers) -> Iterator[Face]:
    """Yield the face of each photo in which the eyes are at least 40 pixels apart; ORL photos are omitted.

    Args:
        folder: Folder with ``manifest.csv``.
        landmarkers: The models that find faces and landmarks.

    Raises:
        OSError: The manifest cannot be read.
    """
    with (folder / "manifest.csv").open(newline="") as table:
        identities = {row["file"]: row["identity"] or row["file"] for row in csv.DictReader(table)}
    for name, identity in sorted(identities.items()):
        if identity.startswith(_SMALL_GREY_SET) or Path(name).suffix.lower() not in _SUFFIXES:
            continue
        image = cv2.imread(str(folder / name))
        if image is None:
            continue
        face = landmarkers.find_face(image.astype(np.uint8, copy=False), name=name, identity=identity)
        if face is not None and face.face.eye_distance >= _SMALLEST:
            yield face


def faces_of_clips(folder: Path, landmarkers: Landmarkers) -> Iterator[Face]:
    """Yield the face in every second frame of the first 240 of each clip.

    Args:
        folder: Folder with the clips.
        landmarkers: Find faces and landmarks.

    Raises:
        OSError: A clip cannot be opened.
    """
    for path in sorted(folder.iterdir()):
        clip = cv2.VideoCapture(str(path))
        if not clip.isOpened():
            raise OSError(f"{path.name} cannot be opened as a video")
        for at in range(_MOST_FRAMES):
            done, image = clip.read()
            if not done:
                break
            if at % _EVERY == 0:
                face = landmarkers.find_face(
                    image.astype(np.uint8, copy=False), name=path.name, identity=path.name
                )
                if face is not None:
                    yield face
        clip.release()
