"""Selects the landmarks from which the standard's aligned face is made, for each scheme of landmarks."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.face import Landmarks, Points
from vision.geometry import eye_corners

__all__ = ["FIVE_ALIGNED", "FaceParts", "face_parts"]

FIVE_ALIGNED: Final = np.array([[251, 272], [364, 272], [308, 336], [262, 402], [355, 402]], dtype=np.float32)
"""Positions of the five points in the aligned image of ISO/IEC 29794-5, pixels (OFIQ, ``alignImage``)."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceParts:
    """Reference points of one face.

    Attributes:
        five: Shape (5, 2), pixels: eye centres (halfway between an eye's corners), nose tip, mouth corners;
            in the order of ``vision.face.DetectedFace``.
        mouth_centre: Between the lips, shape (2,), pixels.
        outline: Points whose convex hull is the face from the brows to the chin, shape (n, 2), pixels; None
            if only five points are known.
    """

    five: NDArray[np.float64]
    mouth_centre: NDArray[np.float64]
    outline: NDArray[np.float64] | None


# From temple to temple along the chin, then the upper edges of the brows: MediaPipe's mesh also covers
# the forehead, which the standard's 98 points do not.
_CHEEKS_AND_CHIN: Final = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
_BROWS: Final = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_MEDIAPIPE478_OUTLINE: Final = np.array([*_CHEEKS_AND_CHIN, *_BROWS])


def face_parts(five_points: Points, landmarks: Landmarks | None) -> FaceParts | None:
    """Return the reference points, from the landmarks if given, else from the detector's five points.

    Args:
        five_points: Shape (5, 2), as in ``DetectedFace``.
        landmarks: Dense landmarks of the same face.

    Returns:
        The points; None if the five points are needed and not finite. Landmarks of an unknown scheme, or that
        are not finite, are ignored.
    """
    found = None if landmarks is None else _from_landmarks(landmarks)
    if found is not None:
        return found
    five = five_points.astype(np.float64)
    if not np.isfinite(five).all():
        return None
    return FaceParts(five=five, mouth_centre=five[3:].mean(axis=0), outline=None)


def _from_landmarks(landmarks: Landmarks) -> FaceParts | None:
    corners = eye_corners(landmarks)
    if corners is None:
        return None
    points = landmarks.points.astype(np.float64)
    match landmarks.scheme:
        case "ibug68":
            tip_and_mouth, lips, outline = points[[30, 48, 54]], points[[62, 66]], points
        case "insightface106":
            tip_and_mouth, lips, outline = points[[86, 52, 61]], points[52:72], points
        case "mediapipe478":
            tip_and_mouth, lips = points[[4, 61, 291]], points[[13, 14]]
            outline = points[_MEDIAPIPE478_OUTLINE]
        case _:
            return None
    five = np.concatenate([corners.mean(axis=1), tip_and_mouth])
    return FaceParts(five=five, mouth_centre=lips.mean(axis=0), outline=outline)
