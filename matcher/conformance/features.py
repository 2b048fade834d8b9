"""Distances between the features of a face, which the geometric measures of the standard use."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.face import Landmarks
from vision.geometry import eye_corners

__all__ = ["NO_LANDMARKS", "Features", "features_of"]

NO_LANDMARKS: Final = "there are no dense landmarks of this face"
"""Why a measure that needs dense landmarks could not be assessed."""


@dataclass(frozen=True, slots=True)
class Features:
    """Distances in pixels of the image.

    Attributes:
        eye_x: x of the image's left and right eye centre, halfway between the
            corners of the eye.
        eyes_y: y of the point between the eye centres.
        eye_distance: Distance between the eye centres.
        eyes_to_chin: Distance from the point between the eye centres to the chin: the standard's T.
        eye_openings: Opening of the image's left and right eye: the largest distance of a point of the upper
            lid from its counterpart on the lower lid.
        mouth_opening: The largest distance between a point of the upper lip's inner edge and its counterpart
            on the lower lip's.
        mouth_width: Distance between the mouth's corners.
        corner_lift: How far the mouth's corners lie above the line between the lips, along the face;
            negative if they hang.
    """

    eye_x: tuple[float, float]
    eyes_y: float
    eye_distance: float
    eyes_to_chin: float
    eye_openings: tuple[float, float]
    mouth_opening: float
    mouth_width: float
    corner_lift: float


@dataclass(frozen=True, slots=True)
class _Indices:
    """Indices of the landmarks of a scheme; of the eyes, the image's left eye comes first."""

    chin: int
    lids: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]
    lips: tuple[tuple[int, int], ...]
    mouth_corners: tuple[int, int]


# ``vision.geometry`` has the source of the indices of the 106 points. The middle pair of ``lips`` is the
# middle of the mouth.
_SCHEMES: Final[Mapping[str, _Indices]] = MappingProxyType(
    {
        "ibug68": _Indices(
            chin=8,
            lids=(((37, 41), (38, 40)), ((43, 47), (44, 46))),
            lips=((61, 67), (62, 66), (63, 65)),
            mouth_corners=(48, 54),
        ),
        "insightface106": _Indices(
            chin=0,
            lids=(((41, 36), (42, 37)), ((95, 90), (96, 91))),
            lips=((66, 54), (62, 60), (70, 57)),
            mouth_corners=(52, 61),
        ),
        "mediapipe478": _Indices(
            chin=152,
            lids=(((160, 144), (159, 145), (158, 153)), ((385, 380), (386, 374), (387, 373))),
            lips=((82, 87), (13, 14), (312, 317)),
            mouth_corners=(61, 291),
        ),
    }
)


def features_of(landmarks: Landmarks | None) -> Features | None:
    """Measure the distances between the features of a face.

    Source: ISO/IEC 29794-5, as in OFIQ (``FaceMeasures``, ``tmetric``), on the pack's landmarks instead of
    OFIQ's 98.

    Args:
        landmarks: Dense landmarks; None without landmarks.

    Returns:
        The distances; None without landmarks of a known scheme, or if the landmarks are not finite or have
        both eyes, or eyes and chin, in one place.
    """
    eyes = eye_corners(landmarks)
    if landmarks is None or eyes is None:
        return None
    points, indices = landmarks.points.astype(np.float64), _SCHEMES[landmarks.scheme]
    left, right = eyes.mean(axis=1)
    between, chin = (left + right) / 2, points[indices.chin]
    eye_distance, eyes_to_chin = _apart(left, right), _apart(between, chin)
    if eye_distance <= 0 or eyes_to_chin <= 0:
        return None
    down = (chin - between) / eyes_to_chin
    upper, lower = indices.lips[1]
    corners = points[list(indices.mouth_corners)]
    lips = (points[upper] + points[lower]) / 2
    return Features(
        eye_x=(float(left[0]), float(right[0])),
        eyes_y=float(between[1]),
        eye_distance=eye_distance,
        eyes_to_chin=eyes_to_chin,
        eye_openings=(_widest(points, indices.lids[0]), _widest(points, indices.lids[1])),
        mouth_opening=_widest(points, indices.lips),
        mouth_width=_apart(corners[0], corners[1]),
        corner_lift=float((lips - corners.mean(axis=0)) @ down),
    )


def _widest(points: NDArray[np.float64], pairs: tuple[tuple[int, int], ...]) -> float:
    return max(_apart(points[one], points[other]) for one, other in pairs)


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one - other))
