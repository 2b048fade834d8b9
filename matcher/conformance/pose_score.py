"""Maps an angle of the head to a quality score."""

import math

from matcher.conformance.interface import Assessment, PortraitView, assessed, not_assessed

__all__ = ["assess_angle"]

_TURNED_AWAY = 180.0


def assess_angle(angle: float, portrait: PortraitView) -> Assessment:
    """Assess one angle.

    Source: ISO/IEC 29794-5, as in OFIQ (``HeadPose``): 100 times the squared cosine. Beyond 90 degrees, where
    the squared cosine rises again, the score is 0.

    Args:
        angle: Degrees, -180..180; 0 is frontal.
        portrait: The portrait.

    Returns:
        The assessment; not assessed if the angle is not finite, or if the pose is unknown: the portrait's yaw
        is then 180 (``vision.pose.estimate_pose``).
    """
    if not math.isfinite(angle) or portrait.pose.yaw >= _TURNED_AWAY:
        return not_assessed("the landmarks do not determine a head pose")
    return assessed(angle, score=100 * math.cos(math.radians(min(90.0, abs(angle)))) ** 2)
