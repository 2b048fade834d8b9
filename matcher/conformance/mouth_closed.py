"""Mouth closed: whether the mouth is closed."""

from typing import Final

from matcher.conformance.features import NO_LANDMARKS, features_of
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["MouthClosed"]


class MouthClosed:
    """Opening of the mouth over the distance from the eyes to the chin; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``MouthClosed``). A closed mouth scores 96 at best; a smile with
    bare teeth, with an opening of about 0.1, scores 84.
    """

    component: Final = Component.MOUTH_CLOSED
    method: Final = Method.STANDARD
    unit: Final = "eyes to chin"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the mouth.

        The native measure is in distances from the eyes to the chin; 0 to 0.03 are usual for a closed mouth.
        """
        features = features_of(portrait.landmarks)
        if features is None:
            return not_assessed(NO_LANDMARKS)
        opening = features.mouth_opening / features.eyes_to_chin
        return assessed(opening, score=100 - sigmoid_score(opening, x0=0.2, w=0.06))
