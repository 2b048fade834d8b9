"""From an angle of the head to a quality score."""

import math

from matcher.conformance.interface import Assessment, PortraitView, assessed, not_assessed

__all__ = ["assess_angle"]

_TURNED_AWAY = 180.0


def assess_angle(angle: float, portrait: PortraitView) -> Assessment:
    """The score of one angle.

    Source: ISO/IEC 29794-5 as OFIQ has it (``HeadPose``): 100 times the squared cosine. Beyond 90 degrees,
    where the cosine rises again, it is 0.

    Args:
        angle: Degrees, -180..180; 0 is frontal.
        portrait: Whose angle it is.

    Returns:
        Not assessed where the pose could not be determined (``vision.pose.estimate_pose`` says 180 then).
    """
    if not math.isfinite(angle) or portrait.pose.yaw >= _TURNED_AWAY:
        return not_assessed("the landmarks do not determine a head pose")
    return assessed(angle, score=100 * math.cos(math.radians(min(90.0, abs(angle)))) ** 2)
