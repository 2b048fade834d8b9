"""The signal of a head that faces the camera."""

from typing import Final

import numpy as np

from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal, assessed, not_assessed
from vision.face import DetectedFace, HeadPose
from vision.pose import estimate_pose

_LARGEST_ROLL: Final = 30.0
_UNDETERMINED: Final = 180.0
_GOOD, _FAIR = 0.85, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class SelfieHeadPose:
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
            return not_assessed(name=self.name, label=self.label, reason="No face was found.")
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
                f"{_words(1 - worst / 2)} (turned by {abs(pose.yaw):.0f}, tilted by {abs(pose.pitch):.0f}, "
                f"leaning by {abs(pose.roll):.0f} degrees)."
            )
        return assessed(name=self.name, label=self.label, score=1 - worst / 2, detail=detail)


def _pose(subject: SelfieSubject, face: DetectedFace) -> HeadPose:
    height, width = subject.image.shape[:2]
    landmarks = subject.landmarks
    if landmarks is not None and np.isfinite(landmarks.points).all():
        return estimate_pose(landmarks, (width, height))
    return estimate_pose(face.five_points, (width, height))


def _words(score: float) -> str:
    if score >= _GOOD:
        return "The head is near-frontal"
    if score >= _FAIR:
        return "The head is slightly rotated, within the accepted range"
    return "The head is significantly rotated"
