"""Head pose pitch: whether the head is tilted up or down."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView
from matcher.conformance.pose_score import assess_angle

__all__ = ["HeadPosePitch"]


class HeadPosePitch:
    """The head's pitch; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``HeadPose``), with the score of ``assess_angle``. The angle is that
    of ``vision.pose.estimate_pose``, which fits a generic head to the landmarks; OFIQ uses a network.
    """

    component: Final = Component.HEAD_POSE_PITCH
    method: Final = Method.STANDARD
    unit: Final = "deg"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the pitch; the native measure is in degrees, positive upwards."""
        return assess_angle(portrait.pose.pitch, portrait)
