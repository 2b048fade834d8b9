"""The photo of a person from which a simulated scan is made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.errors import PhotoUnusable
from vision.face import BgrImage, DetectedFace, Points
from vision.packs import FaceDetector, Landmarker

__all__ = ["Photo", "photo_from_image"]

_SCHEME = "ibug68"
_SMALLEST_EYE_DISTANCE = 20.0
_COMPARABLE = 0.75
"""Least width, as a share of the largest face's, of a face that counts as equally prominent."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One upright photo and the face in it.

    Attributes:
        pixels: The photo; it may show other people too.
        landmarks: The person's 68 landmarks in iBUG 300-W order, shape (68, 2), pixels of ``pixels``.

    Raises:
        PhotoUnusable: The landmarks are not 68 finite points, or the eyes are less than 20 px apart.
    """

    pixels: BgrImage
    landmarks: Points

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise PhotoUnusable("a photo is an 8-bit image of shape (height, width, 3)")
        if self.landmarks.shape != (68, 2) or not bool(np.isfinite(self.landmarks).all()):
            raise PhotoUnusable(f"a photo needs 68 finite landmarks, got shape {self.landmarks.shape}")
        if self.eye_distance < _SMALLEST_EYE_DISTANCE:
            raise PhotoUnusable(
                f"the eyes are {self.eye_distance:.0f} px apart; a head needs {_SMALLEST_EYE_DISTANCE:.0f} px"
            )

    @property
    def eye_centres(self) -> Points:
        """Centres of the eye on the image's left and on its right, shape (2, 2)."""
        left, right = self.landmarks[36:42].mean(axis=0), self.landmarks[42:48].mean(axis=0)
        return np.stack([left, right]).astype(np.float32)

    @property
    def eye_distance(self) -> float:
        """Distance between the eye centres in pixels."""
        left, right = self.eye_centres
        return float(np.linalg.norm(right - left))


def photo_from_image(image: BgrImage, *, detector: FaceDetector, landmarker: Landmarker) -> Photo:
    """Finds the most prominent face of ``image`` and its landmarks.

    Detectors sometimes find a false face as large as the person's, with a lower confidence. Therefore, of the
    faces that are not much smaller than the largest, the one with the highest confidence counts.

    Args:
        image: An upright photo.
        detector: Finds the face.
        landmarker: Finds its landmarks; its scheme must be ``"ibug68"``.

    Raises:
        PhotoUnusable: There is no face, it is too small, or the landmarker has another scheme.
    """
    if landmarker.scheme != _SCHEME:
        raise PhotoUnusable(
            f"the simulator needs {_SCHEME} landmarks, this landmarker gives {landmarker.scheme}"
        )
    faces = detector.detect(image)
    if not faces:
        raise PhotoUnusable("no face was found in the photo")
    landmarks = landmarker.locate(image, _most_prominent(faces))
    if landmarks is None:
        raise PhotoUnusable("the landmarker finds no face where one was detected; use a photo from the front")
    return Photo(pixels=image, landmarks=landmarks.points)


def _most_prominent(faces: Sequence[DetectedFace]) -> DetectedFace:
    widest = max(face.box.width for face in faces)
    return max(
        (face for face in faces if face.box.width >= _COMPARABLE * widest), key=lambda face: face.confidence
    )
