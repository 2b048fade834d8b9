"""Are both eyes open?"""

from typing import Final

from matcher.conformance.features import NO_LANDMARKS, features_of
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["BLIND_SCHEME", "EyesOpen"]

BLIND_SCHEME: Final = "ibug68"
"""Scheme of landmarks with which it is never assessed."""


class EyesOpen:
    """The less open eye's opening over the distance from the eyes to the chin; implements ``Measure``.

    Source: ISO/IEC 29794-5 as OFIQ has it (``EyesOpen``). With dlib's 68 points it is not assessed: they keep
    shut eyes open. In 19 clips, of 100 frames in which MediaPipe's points have an eye shut, dlib's give
    more than the opening below which they have 5% of the open eyes (1556 frames) in 35%
    (``python -m research.feature_measures``).
    """

    component: Final = Component.EYES_OPEN
    method: Final = Method.STANDARD
    unit: Final = "eyes to chin"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Native measure in distances from the eyes to the chin; 0.05 to 0.11 are usual for open eyes."""
        features = features_of(portrait.landmarks)
        if features is None:
            return not_assessed(NO_LANDMARKS)
        if portrait.landmarks is not None and portrait.landmarks.scheme == BLIND_SCHEME:
            return not_assessed("the pack's 68 landmarks do not tell shut eyes from open ones")
        opening = min(features.eye_openings) / features.eyes_to_chin
        return assessed(opening, score=sigmoid_score(opening, x0=0.02, w=0.01))
