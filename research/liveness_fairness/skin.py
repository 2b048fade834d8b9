"""Measures the tone of a face's skin from the pixels of its cheeks: the individual typology angle (ITA).

The angle is that of lightness and yellowness in CIELAB: ``atan((L* - 50) / b*)`` in degrees (A. Chardon et
al., "Skin colour typology and suntanning pathways", International Journal of Cosmetic Science 13, 1991). The
classes are those of S. Del Bino and F. Bernerd, "Variations in skin colour and the biological consequences of
ultraviolet radiation exposure", British Journal of Dermatology 169, 2013. Both are for a spectrophotometer. A
camera of unknown exposure and white balance measures the skin and the light together.
"""

import math
from typing import Final

import cv2
import numpy as np

from vision.face import BgrImage, Landmarks

__all__ = ["TONES", "tone_angle", "tone_class"]

TONES: Final = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""The classes, from the largest angle to the smallest."""

_ABOVE: Final = (55.0, 41.0, 28.0, 10.0, -30.0)
"""The angles above which a skin is of each class but the last, degrees."""

_CHEEKS: Final = (
    (50, 101, 118, 117, 123, 187, 205, 36),
    (280, 330, 347, 346, 352, 411, 425, 266),
)
"""Points of MediaPipe's mesh around each cheek, below the eye and beside the nose."""

_LEAST_PIXELS: Final = 50
_LEAST_YELLOW: Final = 2.0
"""The least b*; skin in white light has 8 and more, and a grey image has 0."""


def tone_angle(image: BgrImage, landmarks: Landmarks) -> float | None:
    """Return the angle of the cheeks' median colour, degrees.

    Args:
        image: The frame.
        landmarks: Of scheme ``"mediapipe478"``.

    Returns:
        ``None`` if the cheeks are too small, or not yellower than grey (a grey image, or blue light).
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    for cheek in _CHEEKS:
        corners = cv2.convexHull(np.round(landmarks.points[list(cheek)]).astype(np.int32))
        cv2.fillConvexPoly(mask, corners, (1,))
    if int(mask.sum()) < _LEAST_PIXELS:
        return None
    pixels = image[mask == 1].reshape(-1, 1, 3).astype(np.float32) / np.float32(255)
    lightness, _, yellow = np.median(cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB).reshape(-1, 3), axis=0)
    if yellow < _LEAST_YELLOW:
        return None
    return math.degrees(math.atan((float(lightness) - 50.0) / float(yellow)))


def tone_class(angle: float) -> str:
    """Return the class of an angle in degrees, one of ``TONES``."""
    return next((name for name, least in zip(TONES, _ABOVE, strict=False) if angle > least), TONES[-1])
