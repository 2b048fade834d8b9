"""The signals of the face's geometry: open eyes, orientation, size in the image, and symmetry."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.extent import face_extent
from liveness.selfie.settings import (
    BEST_AREA_RATIO,
    LARGEST_AREA_RATIO,
    SelfieSettings,
    SelfieSignal,
    SelfieSubject,
    score_between,
)
from liveness.verdict import Signal
from vision.face import Box, DetectedFace, HeadPose, Landmarks, Points
from vision.geometry import eye_aspect_ratio
from vision.pose import estimate_pose

_NATURAL = 5 / 3
_WIDE = 2.0
_EYES_GOOD, _EYES_FAIR = 0.8, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class EyeAspectRatio(SelfieSignal):
    """The mean eye aspect ratio of both eyes (Soukupová and Čech 2016).

    The score is 0.5 at ``min_ear``, 0.8 at 5/3 of it (0.25 by default) and 1 from twice it on (0.30). It is
    linear in between and down to 0.
    """

    name = "eye_aspect_ratio"
    label = "Eye geometry"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``; not assessed without dense landmarks."""
        if subject.face is None:
            return self.unknown("No face was found.")
        if subject.landmarks is None or not np.isfinite(subject.landmarks.points).all():
            return self.unknown("There are no landmarks around the eyes.")
        left, right = eye_aspect_ratio(subject.landmarks)
        ratio = (left + right) / 2
        floor = settings.min_ear
        score = score_between(
            ratio, ((0.0, 0.0), (floor, 0.5), (_NATURAL * floor, 0.8), (_WIDE * floor, 1.0))
        )
        return self.scored(
            score,
            f"{_eyes_in_words(score)} (eye aspect ratio {left:.2f} and {right:.2f}; shut below {floor:.2f}).",
        )


def _eyes_in_words(score: float) -> str:
    if score >= _EYES_GOOD:
        return "The eyes are naturally open"
    if score >= _EYES_FAIR:
        return "The eyes are partly open or slightly covered"
    return "The eyes are shut, or measured as shut"


_LARGEST_ROLL: Final = 30.0
_UNDETERMINED: Final = 180.0
_POSE_GOOD, _POSE_FAIR = 0.85, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class SelfieHeadPose(SelfieSignal):
    """The worst of yaw, pitch and roll, each relative to its largest tolerated angle.

    The score falls linearly: 1 if frontal, 0.5 at the largest tolerated angle, 0 at twice that. The text of
    the contract lets the score fall only beyond that angle, but its table gives a slight turn 0.50 to 0.84.
    The implementation follows the table. The contract has no parameter for roll; its requirement of less than
    30 degrees is the limit. A pose that the points do not determine scores 0.
    """

    name = "head_pose"
    label = "Head orientation"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``; coarse if only five points are known."""
        if subject.face is None:
            return self.unknown("No face was found.")
        pose = _pose(subject, subject.face)
        worst = max(
            abs(pose.yaw) / settings.max_yaw_deg,
            abs(pose.pitch) / settings.max_pitch_deg,
            abs(pose.roll) / _LARGEST_ROLL,
        )
        if abs(pose.yaw) >= _UNDETERMINED:
            detail = "The points of the face do not determine the head's orientation."
        else:
            detail = (
                f"{_pose_in_words(1 - worst / 2)} (turned by {abs(pose.yaw):.0f}, tilted by "
                f"{abs(pose.pitch):.0f}, leaning by {abs(pose.roll):.0f} degrees)."
            )
        return self.scored(1 - worst / 2, detail)


def _pose(subject: SelfieSubject, face: DetectedFace) -> HeadPose:
    height, width = subject.image.shape[:2]
    landmarks = subject.landmarks
    if landmarks is not None and np.isfinite(landmarks.points).all():
        return estimate_pose(landmarks, (width, height))
    return estimate_pose(face.five_points, (width, height))


def _pose_in_words(score: float) -> str:
    if score >= _POSE_GOOD:
        return "The head is near-frontal"
    if score >= _POSE_FAIR:
        return "The head is slightly rotated, within the accepted range"
    return "The head is significantly rotated"


_FIXED = 0.5
_USUAL = 0.10, 0.40
"""Shares of the image that the detail calls usual for a selfie. They do not affect the verdict."""


class FaceAreaRatio(SelfieSignal):
    """The share of the image that the face fills, from ear to ear and from hairline to chin.

    The face's rectangle comes from the five points (``liveness.extent``), because detectors draw boxes of
    different sizes. The score is 1 at 20 % and falls with the share's logarithm to 0.5 at
    ``min_face_area_ratio`` and at 80 %. Below the former it falls linearly to 0; above the latter it is 0.5.
    """

    name = "face_area_ratio"
    label = "Face framing"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        if subject.face is None:
            return self.unknown("No face was found.")
        extent = face_extent(subject.face)
        face = Box(left=extent.left, top=extent.top, right=extent.right, bottom=extent.bottom)
        height, width = subject.image.shape[:2]
        share = face.area * face.inside_fraction(width, height) / (width * height)
        return self.scored(
            area_score(share, smallest=settings.min_face_area_ratio),
            f"{_area_in_words(share, settings)} (it fills {100 * share:.0f} % of the image; best is 20 %).",
        )


def area_score(share: float, *, smallest: float) -> float:
    """Return the score of a face that fills ``share`` of the image.

    Args:
        share: 0..1.
        smallest: ``SelfieSettings.min_face_area_ratio``.
    """
    if share <= smallest:
        return 0.5 * max(0.0, share) / smallest
    anchors = (
        (math.log(smallest), 0.5),
        (math.log(BEST_AREA_RATIO), 1.0),
        (math.log(LARGEST_AREA_RATIO), _FIXED),
    )
    return score_between(math.log(share), anchors)


def _area_in_words(share: float, settings: SelfieSettings) -> str:
    if share < settings.min_face_area_ratio:
        return "The face is very small, as in a photo of a photo"
    if share > LARGEST_AREA_RATIO:
        return "The face fills nearly the whole image, as in a tight crop"
    if _USUAL[0] <= share <= _USUAL[1]:
        return "The face is framed as in a selfie"
    return "The face is " + ("smaller" if share < BEST_AREA_RATIO else "larger") + " than in most selfies"


_Pairs = tuple[tuple[int, int], ...]

# Corners of the eyes, sides of the nose, corners of the mouth, and the jaw from ear to chin, the image's
# left first. The right half of InsightFace's outline follows the left one's order, sixteen points later.
_SCHEMES: Final[Mapping[str, _Pairs]] = MappingProxyType(
    {
        "ibug68": ((36, 45), (39, 42), (31, 35), (48, 54), (0, 16), (2, 14), (4, 12), (6, 10)),
        "insightface106": ((35, 93), (39, 89), (52, 61), (1, 17), (12, 28), (16, 32), (5, 21)),
        "mediapipe478": (
            (33, 263),
            (133, 362),
            (129, 358),
            (61, 291),
            (127, 356),
            (132, 361),
            (172, 397),
            (150, 379),
        ),
    }
)
_FIVE: Final[_Pairs] = ((0, 1), (3, 4))


def symmetric_pairs(landmarks: Landmarks | Points) -> NDArray[np.float64]:
    """Return the pairs of points that are compared.

    Args:
        landmarks: Landmarks in one of the schemes of ``vision.face.Landmarks``, or five points of shape (5,
            2) in the order of ``vision.face.DetectedFace``, which give pairs of eyes and mouth only.

    Returns:
        Shape (pairs, 2, 2): for each pair the image's left and right point as (x, y) in pixels.

    Raises:
        ValueError: The scheme is unknown; an error in the caller's code.
    """
    if isinstance(landmarks, Landmarks):
        if landmarks.scheme not in _SCHEMES:
            raise ValueError(f"unknown landmark scheme {landmarks.scheme!r}")
        points, pairs = landmarks.points, _SCHEMES[landmarks.scheme]
    else:
        points, pairs = landmarks, _FIVE
    chosen: NDArray[np.float64] = points.astype(np.float64)[np.array(pairs)]
    return chosen


def asymmetry(pairs: NDArray[np.float64]) -> float | None:
    """Return the mean distance of the left points' mirror images from the right points.

    The midline is fitted to the pairs: it is perpendicular to their mean direction and passes through the
    mean of their midpoints. The value therefore does not depend on shift, rotation and scale of the image. It
    depends little on the head's yaw, because all midpoints move together except for their depth. The distance
    from the best mirror image is the symmetry distance of H. Zabrodsky et al., "Symmetry as a continuous
    feature", IEEE PAMI 17(12), 1995.

    Args:
        pairs: The result of ``symmetric_pairs``, two or more pairs.

    Returns:
        The distance as a share of the widest pair's width, 0 or more; None if the points do not form a face.
    """
    if not np.isfinite(pairs).all():
        return None
    across = pairs[:, 1] - pairs[:, 0]
    widest = float(np.linalg.norm(across, axis=1).max())
    direction = across.sum(axis=0)
    length = float(np.linalg.norm(direction))
    if widest <= 0 or length <= 0:
        return None
    unit = direction / length
    middles = pairs.mean(axis=1) @ unit
    # Mirroring moves a left point only along the mean direction. The distance that remains is twice that of
    # the pair's midpoint from the midline in this direction, and the pair's slope in the other.
    along = across @ np.array([-unit[1], unit[0]])
    left_over = np.hypot(2 * (middles - middles.mean()), along)
    return float(left_over.mean()) / widest


_SYMMETRY_GOOD, _SYMMETRY_FAIR = 0.8, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class FacialSymmetry(SelfieSignal):
    """How symmetrical the face is: 1 for a mirror image, 0 from an asymmetry of ``max_asymmetry`` on."""

    name = "facial_symmetry"
    label = "Facial symmetry"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``; coarse if only five points are known."""
        if subject.face is None:
            return self.unknown("No face was found.")
        landmarks = subject.landmarks
        dense = landmarks is not None and bool(np.isfinite(landmarks.points).all())
        pairs = symmetric_pairs(landmarks if landmarks is not None and dense else subject.face.five_points)
        index = asymmetry(pairs)
        if index is None:
            return self.unknown("The points do not form a face.")
        score = 1 - index / settings.max_asymmetry
        return self.scored(
            score,
            f"{_symmetry_in_words(score)} (asymmetry {index:.3f} over {len(pairs)} pairs of points; at "
            f"most {settings.max_asymmetry:.2f} is accepted).",
        )


def _symmetry_in_words(score: float) -> str:
    if score >= _SYMMETRY_GOOD:
        return "The face is highly symmetric"
    if score >= _SYMMETRY_FAIR:
        return "The face is mildly asymmetric, within normal limits"
    return "The face is notably asymmetric, as when warped, bent or seen from the side"
