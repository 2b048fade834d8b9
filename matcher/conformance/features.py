"""The measures of eyes, mouth and expression, and the distances between the features of a face.

The figures are of ``python -m research.feature_measures``, tag studies-1.0, those of covered mouths of
``portrait_measures`` beside it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.conformance.face_region import LEVELS, AlignedFace
from matcher.conformance.interface import (
    Assessment,
    PortraitView,
    assessed,
    not_assessed,
    of_aligned_face,
    sigmoid_score,
)
from vision.eye_likeness import eye_likeness, eye_piece
from vision.face import Landmarks
from vision.geometry import eye_corners
from vision.mouth_colours import PART, PART_SIZE, MouthColours, colours_of_mouth, covered_evidence

NO_LANDMARKS: Final = "there are no dense landmarks of this face"
"""Why a measure that needs dense landmarks could not be assessed."""
BLIND_SCHEME: Final = "ibug68"
"""Scheme of landmarks that does not show closed eyes; with it, the measure is never assessed."""

# Halfway between neutral and smiling or open-mouthed photos.
_NEUTRAL_MOUTH: Final = 0.85
_SMILING_MOUTH: Final = 1.06
_LIFT_WEIGHT: Final = 2.0
_OPEN_MOUTH: Final = 0.1
_SLOPE: Final = 0.15
_LEAST_WIDTH: Final = 5.0
"""Least width of an eye in the aligned image, pixels; a narrower eye is turned away."""
_LEAST_LUMINANCE: Final = 0.07


@dataclass(frozen=True, slots=True)
class Features:
    """Distances in pixels of the image.

    Attributes:
        eye_x: x of the image's left and right eye centre, halfway between the
            corners of the eye.
        eyes_y: y of the point between the eye centres.
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


def eyes_open(portrait: PortraitView) -> Assessment:
    """Measure the opening of the less open eye over the distance from the eyes to the chin.

    Source: ISO/IEC 29794-5, as in OFIQ (``EyesOpen``); 0.05 to 0.11 are usual for open eyes. It is not
    assessed with dlib's 68 points, which place shut eyes as open. In 19 clips, an eye is shut by MediaPipe's
    points in 100 frames and open in 1556. In 35% of the 100 frames, dlib's opening is above the 5th
    percentile of its openings of open eyes.
    """
    features = features_of(portrait.landmarks)
    if features is None:
        return not_assessed(NO_LANDMARKS)
    if portrait.landmarks is not None and portrait.landmarks.scheme == BLIND_SCHEME:
        return not_assessed("the pack's 68 landmarks do not distinguish shut eyes from open ones")
    opening = min(features.eye_openings) / features.eyes_to_chin
    return assessed(opening, score=sigmoid_score(opening, x0=0.02, w=0.01))


def mouth_closed(portrait: PortraitView) -> Assessment:
    """Measure the opening of the mouth over the distance from the eyes to the chin.

    Source: ISO/IEC 29794-5, as in OFIQ (``MouthClosed``). A closed mouth measures 0 to 0.03 and scores 96 at
    best; a smile with bare teeth, with an opening of about 0.1, scores 84.
    """
    features = features_of(portrait.landmarks)
    if features is None:
        return not_assessed(NO_LANDMARKS)
    opening = features.mouth_opening / features.eyes_to_chin
    return assessed(opening, score=100 - sigmoid_score(opening, x0=0.2, w=0.06))


def expression_neutrality(portrait: PortraitView) -> Assessment:
    """Measure how far a mouth smiles or is open.

    An approximation: the standard uses the features of two networks, which no pack has. Here the mouth's
    width over the eye distance, the lift of its corners and its opening are used. The native measure is 0 or
    less for a neutral mouth, and 1 halfway to a smile or an open mouth. Smiles are distinguished from neutral
    faces (docs/trusted_images.md has the counts); frowns, raised brows and pouts are not detected.
    """
    features = features_of(portrait.landmarks)
    if features is None:
        return not_assessed(NO_LANDMARKS)
    wide = features.mouth_width / features.eye_distance
    lifted = features.corner_lift / features.eyes_to_chin
    smile = (wide + _LIFT_WEIGHT * lifted - _NEUTRAL_MOUTH) / (_SMILING_MOUTH - _NEUTRAL_MOUTH)
    departure = max(smile, features.mouth_opening / features.eyes_to_chin / _OPEN_MOUTH)
    return assessed(departure, score=100 - sigmoid_score(departure, x0=1.0, w=_SLOPE))


def eyes_visible(portrait: PortraitView) -> Assessment:
    """Measure how alike the eyes are to the average eye, the lower of the two.

    An approximation: the standard measures the share of the eyes' zone that a segmentation network labels as
    hidden, and no pack has such a network. The native measure is the normalised correlation of grey values
    with the average eye, -1 to 1. On 222 photos (MediaPipe's landmarks), the one with sunglasses measures
    least, -0.04; with dark lenses or a lock of hair painted over the eyes, all 222 measure less than 0.06. Of
    the other photos 3 measure less than 0.1, which has a score of 50: two with narrowed eyes, one with a
    mask up to the eyes. With dlib's landmarks 11 do, mostly masked or averted faces.
    Glasses with visible eyes are not detected.
    """
    eyes = eye_pieces(portrait)
    if eyes is None:
        return not_assessed(NO_LANDMARKS)
    alike = min(-1.0 if eye is None else eye_likeness(eye) for eye in eyes)
    return assessed(alike, score=sigmoid_score(alike, x0=0.1, w=0.05))


def eye_pieces(portrait: PortraitView) -> tuple[NDArray[np.float64] | None, ...] | None:
    """Cut out the two eyes for the comparison with the average eye.

    Returns:
        The image's left and right eye, each of shape (14, 24), grey, mean 0 and length 1 (all 0 if it is
        flat), the outer corner on the left; None for an eye that is turned away. None without landmarks.
    """
    corners = eye_corners(portrait.landmarks)
    aligned = portrait.aligned
    if corners is None or aligned is None:
        return None
    moved = corners @ aligned.transform[:, :2].T + aligned.transform[:, 2]
    (left_outer, left_inner), (right_inner, right_outer) = moved
    return (
        eye_piece(aligned.image, left_outer, left_inner, mirrored=False, least_width=_LEAST_WIDTH),
        eye_piece(aligned.image, right_inner, right_outer, mirrored=True, least_width=_LEAST_WIDTH),
    )


@of_aligned_face
def mouth_occlusion_prevention(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Estimate the probability that a mask covers the mouth, given as many covered as bare mouths.

    An approximation: the standard's measure is the covered share of the mouth, from a segmentation network
    that no pack has. Here a logistic function has three inputs in CIELAB: how much redder and less yellow the
    lips are than cheeks and chin, how far the lower cheeks are in a* and b* from the skin of nose bridge and
    lower lids, and how light that skin is, because dim or dark skin shows less colour. It detects masks; a
    hand in front of the mouth has the colour of skin and may not be detected (the only one was not).

    On the development photos with MediaPipe's landmarks, with functions that were fitted without the person
    of a mask and without the whole source of a bare face, the probability is above one half for 55 of 56
    covered mouths (98%; 95% bounds 90% to 100%) and 39 of 604 bare ones (6.5%; 4.6% to 8.7%). With dlib's
    landmarks it is above one half for 39 of 43 (91%; 78% to 97%) and 50 of 601 (8.3%; 6.2% to 10.8%).
    Sources differ: of 48 enrolment selfies, most of them dim and of dark skin, 10 are false alarms (21%; 10%
    to 35%); of the 239 bare faces outside that collection, 6 are (2.5%; 0.9% to 5.4%). The shipped function
    was fitted on all of them, and gives 20 false alarms of the 604. The three inputs were chosen on these
    photos, and the bounds count every photo as independent. Few masks are on dark skin.

    Not assessed for grey or very dark faces, which show too little colour.
    """
    colours = mouth_colours(aligned)
    if isinstance(colours, str):
        return not_assessed(colours)
    covered = 1 / (1 + math.exp(-covered_evidence(colours)))
    return assessed(covered, score=100 * (1 - covered))


def mouth_colours(aligned: AlignedFace) -> MouthColours | str:
    """Measure the colours of one face.

    Returns:
        The colours, or, if they cannot be measured, the reason in words.
    """
    left, top, right, bottom = PART
    part = aligned.image[top:bottom, left:right]
    small = cv2.resize(part, PART_SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    colours = colours_of_mouth(small)
    if colours is None:
        return "the face has too little colour to distinguish lips from a mask"
    if float(aligned.histogram @ LEVELS) < _LEAST_LUMINANCE:
        return "the face is too dark to distinguish lips from a mask"
    return colours
