"""Margin below: whether there is enough space below the face."""

from typing import Final

from matcher.conformance.features import NO_LANDMARKS, features_of
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["MarginBelowOfTheFaceImage"]


class MarginBelowOfTheFaceImage:
    """Distance from the eyes to the image's lower edge, divided by the distance from the eyes to the chin.

    Implements ``Measure``. Source: ISO/IEC 29794-5 as in OFIQ (``CropOfTheFaceImage``).
    """

    component: Final = Component.MARGIN_BELOW
    method: Final = Method.STANDARD
    unit: Final = "eyes to chin"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the space between the eyes and the image's lower edge.

        The unit of the native measure is the distance from the eyes to the chin.
        """
        features = features_of(portrait.landmarks)
        if features is None:
            return not_assessed(NO_LANDMARKS)
        margin = (portrait.image.shape[0] - features.eyes_y) / features.eyes_to_chin
        return assessed(margin, score=sigmoid_score(margin, x0=1.8, w=0.1))
