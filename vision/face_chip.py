"""The aligned face of a frame or portrait as a small grey picture, to compare faces pixel by pixel."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import DetectedFace
from vision.geometry import ARCFACE_TEMPLATE, similarity_transform
from vision.image import GreyImage

__all__ = ["CHIP_EYE_DISTANCE", "CHIP_POINTS", "CHIP_SHAPE", "FaceChip", "cut_chip"]

FaceChip = NDArray[np.uint8]
"""A face from the brows to the chin, grey, of shape ``CHIP_SHAPE``. It is biometric data."""

CHIP_SHAPE: Final = (120, 96)
"""Rows and columns of a chip."""

_SCALE: Final = 1.25
_CORNER: Final = np.array([17.6, 17.0], np.float32)

CHIP_POINTS: Final = (ARCFACE_TEMPLATE - _CORNER) * np.float32(_SCALE)
"""The positions of ``DetectedFace.five_points`` in a chip, shape (5, 2), pixels."""

CHIP_EYE_DISTANCE: Final = float(np.linalg.norm(CHIP_POINTS[1] - CHIP_POINTS[0]))
"""The distance between the eyes in a chip, pixels."""

_LEAST_BLUR: Final = 0.7
"""The scale from which on a picture is not smoothed before it is reduced."""
_BLUR, _MOST_BLUR = 0.4, 8.0
_MARGIN: Final = 4


def cut_chip(picture: GreyImage, face: DetectedFace) -> FaceChip:
    """Returns the chip of a face; beyond the picture's border its outermost pixels are repeated.

    Args:
        picture: The upright picture, shape (height, width), 0..255.
        face: The face in it.
    """
    matrix = similarity_transform(face.five_points, CHIP_POINTS)
    height, width = picture.shape
    rows, columns = CHIP_SHAPE
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], np.float64)
    inverse = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    reached = corners @ inverse[:, :2].T + inverse[:, 2]
    left, top = (
        int(np.clip(value, 0, limit - 1))
        for value, limit in zip(reached.min(axis=0) - _MARGIN, (width, height), strict=True)
    )
    right, bottom = (
        int(np.clip(value, start + 1, limit))
        for value, start, limit in zip(
            reached.max(axis=0) + _MARGIN, (left, top), (width, height), strict=True
        )
    )
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < _LEAST_BLUR:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), min(_MOST_BLUR, _BLUR / scale)), np.uint8)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    chip = cv2.warpAffine(
        part, moved, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(chip, np.uint8)
