"""Detects the persons in an image, the subject first. Faces in the background do not count."""

from typing import Final

import cv2
import numpy as np

from matcher import SubjectRule, persons_among
from vision.face import BgrImage, Box, DetectedFace
from vision.packs import Pack

__all__ = ["persons_in", "persons_of"]

_LARGEST_SIDE: Final = 1600
"""The longest side of a detector's input, pixels. Detectors reduce it to a few hundred pixels in any case."""

_SMALLEST_SIDE: Final = 64
"""The least length of the shorter side, pixels. No detector of any pack finds a face in smaller images."""


def persons_of(pixels: BgrImage, pack: Pack, *, rule: SubjectRule) -> tuple[DetectedFace, ...]:
    """Returns the persons of a frame, the subject first.

    Args:
        pixels: The frame, of a size that suits a detector.
        pack: The models.
        rule: Defines which faces count.

    Raises:
        ModelFailed: The detector failed.
    """
    return persons_among(pack.detector.detect(pixels), size=(pixels.shape[1], pixels.shape[0]), rule=rule)


def persons_in(pixels: BgrImage, pack: Pack, *, rule: SubjectRule) -> tuple[DetectedFace, ...]:
    """Returns the persons of an image of any size, the subject first.

    A large image is halved until its size suits a detector. This saves time, because a detector reduces its
    input more slowly. An image with a side below 64 pixels gives no persons.

    Args:
        pixels: The upright image.
        pack: The models.
        rule: Defines which faces count.

    Raises:
        ModelFailed: The detector failed.
    """
    if min(pixels.shape[:2]) < _SMALLEST_SIDE:
        return ()
    scale = 1
    while max(pixels.shape) > _LARGEST_SIDE and min(pixels.shape[:2]) >= 2 * _SMALLEST_SIDE:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= 2
    return tuple(_enlarged(face, scale) for face in persons_of(pixels, pack, rule=rule))


def _enlarged(face: DetectedFace, scale: int) -> DetectedFace:
    if scale == 1:
        return face
    # Coordinates are those of pixel centres, and halving joins the centres of two pixels.
    shift = (scale - 1) / 2
    edges = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    return DetectedFace(
        box=Box(*(edge * scale + shift for edge in edges)),
        confidence=face.confidence,
        five_points=face.five_points * np.float32(scale) + np.float32(shift),
    )
