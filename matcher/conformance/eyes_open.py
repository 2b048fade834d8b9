"""Eyes open: whether both eyes are open."""

from typing import Final

from matcher.conformance.features import NO_LANDMARKS, features_of
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["BLIND_SCHEME", "EyesOpen"]

BLIND_SCHEME: Final = "ibug68"
"""Scheme of landmarks that does not show closed eyes; with it, the measure is never assessed."""


class EyesOpen:
    """Opening of the less open eye over the distance from the eyes to the chin; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``EyesOpen``). It is not assessed with dlib's 68 points, which place
    shut eyes as open. In 19 clips, an eye is shut by MediaPipe's points in 100 frames and open in 1556. In
    35% of the 100 frames, dlib's opening is above the 5th percentile of its openings of open eyes
    (``python -m research.feature_measures``).
    """

    component: Final = Component.EYES_OPEN
    method: Final = Method.STANDARD
    unit: Final = "eyes to chin"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the eyes.

        The native measure is in distances from the eyes to the chin; 0.05 to 0.11 are usual for open eyes.
        """
        features = features_of(portrait.landmarks)
        if features is None:
            return not_assessed(NO_LANDMARKS)
        if portrait.landmarks is not None and portrait.landmarks.scheme == BLIND_SCHEME:
            return not_assessed("the pack's 68 landmarks do not distinguish shut eyes from open ones")
        opening = min(features.eye_openings) / features.eyes_to_chin
        return assessed(opening, score=sigmoid_score(opening, x0=0.02, w=0.01))
