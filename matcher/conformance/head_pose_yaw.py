"""Head pose yaw: whether the head is turned to a side."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView
from matcher.conformance.pose_score import assess_angle

__all__ = ["HeadPoseYaw"]


class HeadPoseYaw:
    """The head's yaw; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``HeadPose``), with the score of ``assess_angle``. The angle is that
    of ``vision.pose.estimate_pose``, which fits a generic head to the landmarks; OFIQ uses a network.
    """

    component: Final = Component.HEAD_POSE_YAW
    method: Final = Method.STANDARD
    unit: Final = "deg"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the yaw; the native measure is in degrees, positive to the image's right."""
        return assess_angle(portrait.pose.yaw, portrait)
