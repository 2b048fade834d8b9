"""Head pose roll: whether the head leans to a side."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView
from matcher.conformance.pose_score import assess_angle

__all__ = ["HeadPoseRoll"]


class HeadPoseRoll:
    """The head's roll; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``HeadPose``), with the score of ``assess_angle``. The angle is that
    of ``vision.pose.estimate_pose``, which fits a generic head to the landmarks; OFIQ uses a network.
    """

    component: Final = Component.HEAD_POSE_ROLL
    method: Final = Method.STANDARD
    unit: Final = "deg"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the roll.

        The native measure is in degrees, positive if the head leans clockwise in the image.
        """
        return assess_angle(portrait.pose.roll, portrait)
