"""The measures of framing: the size and the place of the face in the image, its pose, and other faces."""

import math
from collections.abc import Callable
from typing import Final

from matcher.conformance.features import NO_LANDMARKS, features_of
from matcher.conformance.interface import (
    Assess,
    Assessment,
    PortraitView,
    assessed,
    not_assessed,
    sigmoid_score,
)
from vision.face import HeadPose

_BEST_HEAD_SIZE: Final = 0.45
_TURNED_AWAY: Final = 180.0


def single_face_present(portrait: PortraitView) -> Assessment:
    """Measure the size of the second largest face over the largest, 0 (alone) to 1 (two faces of one size).

    Source: ISO/IEC 29794-5, as in OFIQ (``SingleFacePresent``): the native measure is the square root of the
    second largest face's area over the largest one's, and 0 if there is only one face; the score is
    100 (1 - native).
    """
    areas = sorted((face.box.area for face in portrait.faces), reverse=True)
    if not areas or areas[0] <= 0:
        return not_assessed("the detector's boxes have no area")
    unicity = math.sqrt(areas[1] / areas[0]) if len(areas) > 1 else 0.0
    return assessed(unicity, score=100 * (1 - unicity))


def inter_eye_distance(portrait: PortraitView) -> Assessment:
    """Measure the distance between the eye centres, in pixels of the image.

    The score is that of ISO/IEC 29794-5, as in OFIQ (``InterEyeDistance``): 50 at 70 pixels, 68 at 85, 92 at
    120. OFIQ first divides the distance by the cosine of the yaw. Facegate does not, because with this
    correction a turned head, of which fewer pixels are visible, would count as a large one. Up to 10 degrees
    the two differ by less than 1.6%.
    """
    distance = portrait.face.eye_distance
    if not math.isfinite(distance):
        return not_assessed("the detector's eye points are not numbers")
    return assessed(distance, score=sigmoid_score(distance, x0=70, w=20))


def head_size(portrait: PortraitView) -> Assessment:
    """Measure the distance from the eyes to the chin over the image's height.

    Source: ISO/IEC 29794-5, as in OFIQ (``HeadSize``). The eyes lie about halfway up a head, so that the
    head's length is about twice the native measure: the 60% to 90% of the image's height that ISO/IEC
    19794-5 demands of a full frontal image are 0.3 to 0.45. The standard's score is severe: it is 100 at
    0.45 and 9 at 0.3.
    """
    features = features_of(portrait.landmarks)
    if features is None:
        return not_assessed(NO_LANDMARKS)
    size = features.eyes_to_chin / portrait.image.shape[0]
    return assessed(size, score=2 * (100 - sigmoid_score(abs(size - _BEST_HEAD_SIZE), x0=0, w=0.05)))


def leftward_crop(portrait: PortraitView) -> Assessment:
    """Measure the distance from the image's left edge to the nearer eye, in distances between the eyes.

    Source: ISO/IEC 29794-5, as in OFIQ (``CropOfTheFaceImage``): a sigmoid around 0.9 eye distances. The eye
    centres are those of the landmarks; without landmarks, those of the detector.
    """
    left, _, distance = _eye_centres(portrait)
    return _crop(left, distance)


def rightward_crop(portrait: PortraitView) -> Assessment:
    """Measure the distance from the image's right edge to the nearer eye, as ``leftward_crop`` does."""
    _, right, distance = _eye_centres(portrait)
    return _crop(portrait.image.shape[1] - right, distance)


def _eye_centres(portrait: PortraitView) -> tuple[float, float, float]:
    """Return the x of the left and the right eye centre in the image, and their distance, pixels."""
    features = features_of(portrait.landmarks)
    if features is not None:
        return *features.eye_x, features.eye_distance
    left, right = portrait.face.five_points[:2, 0].tolist()
    return left, right, portrait.face.eye_distance


def _crop(space: float, eye_distance: float) -> Assessment:
    if not (math.isfinite(space) and 0 < eye_distance < math.inf):
        return not_assessed("the eye points determine no distance")
    crop = space / eye_distance
    return assessed(crop, score=sigmoid_score(crop, x0=0.9, w=0.1))


def margin_above(portrait: PortraitView) -> Assessment:
    """Measure the distance from the image's upper edge to the eyes, in distances from the eyes to the chin.

    Source: ISO/IEC 29794-5 as in OFIQ (``CropOfTheFaceImage``).
    """
    features = features_of(portrait.landmarks)
    if features is None:
        return not_assessed(NO_LANDMARKS)
    margin = features.eyes_y / features.eyes_to_chin
    return assessed(margin, score=sigmoid_score(margin, x0=1.4, w=0.1))


def margin_below(portrait: PortraitView) -> Assessment:
    """Measure the distance from the eyes to the image's lower edge, in distances from the eyes to the chin.

    Source: ISO/IEC 29794-5 as in OFIQ (``CropOfTheFaceImage``).
    """
    features = features_of(portrait.landmarks)
    if features is None:
        return not_assessed(NO_LANDMARKS)
    margin = (portrait.image.shape[0] - features.eyes_y) / features.eyes_to_chin
    return assessed(margin, score=sigmoid_score(margin, x0=1.8, w=0.1))


def head_pose(angle_of: Callable[[HeadPose], float]) -> Assess:
    """Make the measure of one angle of the head, in degrees.

    Yaw is positive to the image's right, pitch upwards, and roll if the head leans clockwise in the image.
    Source: ISO/IEC 29794-5, as in OFIQ (``HeadPose``): 100 times the squared cosine. Beyond 90 degrees, where
    the squared cosine rises again, the score is 0. The angle is that of ``vision.pose.estimate_pose``, which
    fits a generic head to the landmarks; OFIQ uses a network. Not assessed if the angle is not finite, or if
    the pose is unknown: the portrait's yaw is then 180.
    """

    def measure(portrait: PortraitView) -> Assessment:
        angle = angle_of(portrait.pose)
        if not math.isfinite(angle) or portrait.pose.yaw >= _TURNED_AWAY:
            return not_assessed("the landmarks do not determine a head pose")
        return assessed(angle, score=100 * math.cos(math.radians(min(90.0, abs(angle)))) ** 2)

    return measure
