"""The mean colour of a face's skin, from which a pulse can be read."""

import cv2
import numpy as np

from vision.face import BgrImage, DetectedFace

SkinColour = tuple[float, float, float]
"""Mean (red, green, blue), gamma-encoded as stored, 0..255."""

_PATCH = 0.3
"""Side of a patch over the distance between the eyes."""

_PLACES = ((0.5, -0.55), (-0.02, 0.6), (1.02, 0.6))
"""Forehead and cheeks, from the left eye: along the line of the eyes and down from it, in eye distances."""

_FEWEST_PIXELS = 16


def skin_colour(image: BgrImage, face: DetectedFace) -> SkinColour | None:
    """The mean of three patches on forehead and cheeks, where the pulse shows most and least else moves.

    Skin that blood flows through absorbs more green light with each beat (Verkruysse et al., Optics
    Express 2008); the mean over many pixels brings the change, less than a grey level, above the noise.

    Args:
        image: The upright frame.
        face: The face in it.

    Returns:
        ``None`` where a patch lies outside the image or is too small.
    """
    eye = face.five_points[0].astype(np.float64)
    along = face.five_points[1].astype(np.float64) - eye
    down = np.array([-along[1], along[0]])
    half = _PATCH * face.eye_distance / 2
    height, width = image.shape[:2]
    total = np.zeros(3)
    for across, below in _PLACES:
        x, y = eye + across * along + below * down
        left, right, top, bottom = round(x - half), round(x + half), round(y - half), round(y + half)
        inside = left >= 0 and top >= 0 and right <= width and bottom <= height
        if not inside or (right - left) * (bottom - top) < _FEWEST_PIXELS:
            return None
        total += cv2.mean(image[top:bottom, left:right])[:3]
    blue, green, red = (total / len(_PLACES)).tolist()
    return red, green, blue
