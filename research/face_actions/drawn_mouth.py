"""Opens the mouth of a face in an image: with the jaw, as a person does, or of the lips alone.

The lips alone move if a mask has a hole around its wearer's lips: its chin is rigid.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Landmarks

__all__ = ["open_mouth"]

_UPPER_LIP, _LOWER_LIP, _LEFT, _RIGHT, _BRIDGE, _CHIN = 13, 14, 61, 291, 168, 152
_WIDEST: Final = 0.2
"""The drawn gap over the distance from nose bridge to chin, when the mouth is fully open: 2.5 centimetres."""
_SKIN_BELOW: Final = 0.85
"""The share of the way from mouth to chin that the hole of a mask reaches."""
_INSIDE: Final = (25, 20, 45)
"""Blue, green and red of the drawn mouth's inside."""


def open_mouth(image: BgrImage, landmarks: Landmarks, share: float, *, with_jaw: bool) -> BgrImage:
    """Return the image with the mouth further open.

    Args:
        image: The frame; the face is about upright.
        landmarks: MediaPipe's 478 points in it.
        share: 0 (as it is) to 1 (fully open).
        with_jaw: Whether the chin moves with the lower lip.
    """
    points = landmarks.points.astype(np.float64)
    middle = (points[_UPPER_LIP] + points[_LOWER_LIP]) / 2
    half = float(np.linalg.norm(points[_RIGHT] - points[_LEFT])) / 2
    gap = share * _WIDEST * float(np.linalg.norm(points[_CHIN] - points[_BRIDGE]))
    to_chin = float(points[_CHIN, 1] - middle[1])
    if gap <= 0 or half <= 0 or to_chin <= 0:
        return image
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    across, down = np.abs(columns - middle[0]) / half, rows - middle[1]
    source, inside = _with_jaw(across, down, gap, to_chin) if with_jaw else _lips(across, down, gap, to_chin)
    shown = cv2.remap(
        image,
        columns.astype(np.float32),
        (source + middle[1]).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    shown[inside] = _INSIDE
    return np.asarray(shown, np.uint8)


def _with_jaw(
    across: NDArray[np.float64], down: NDArray[np.float64], gap: float, to_chin: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the rows that are shown, relative to the mouth, and the mouth's inside; the chin moves too."""
    # The jaw is wider than the mouth, and what is below the chin moves less and less.
    width = 1 + 1.2 * np.clip(down / to_chin, 0, 1)
    drop = gap * np.clip(1 - (across / width) ** 2, 0, None) * np.clip(3 - down / to_chin, 0, 1)
    inside = (down >= 0) & (down < drop)
    return np.where((down >= 0) & ~inside, down - drop, down), inside


def _lips(
    across: NDArray[np.float64], down: NDArray[np.float64], gap: float, to_chin: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """As ``_with_jaw``, but the skin between the lower lip and the edge of the hole is compressed."""
    edge = max(_SKIN_BELOW * to_chin, 1.5 * gap)
    drop = gap * np.clip(1 - across**2, 0, None)
    inside = (down >= 0) & (down < drop)
    skin = (down >= drop) & (down < edge) & (drop > 0)
    return np.where(skin, (down - drop) * edge / (edge - drop), down), inside
