"""Head size: whether the head fills the image as required."""

from typing import Final

from matcher.conformance.features import NO_LANDMARKS, features_of
from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["HeadSize"]

_BEST = 0.45


class HeadSize:
    """Distance from the eyes to the chin over the image's height; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``HeadSize``). The eyes lie about halfway up a head, so that the
    head's length is about twice the native measure: the 60% to 90% of the image's height that ISO/IEC
    19794-5 demands of a full frontal image are 0.3 to 0.45. The standard's score is severe: it is 100 at
    0.45 and 9 at 0.3.
    """

    component: Final = Component.HEAD_SIZE
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the head's size; the native measure is a fraction of the image's height."""
        features = features_of(portrait.landmarks)
        if features is None:
            return not_assessed(NO_LANDMARKS)
        size = features.eyes_to_chin / portrait.image.shape[0]
        return assessed(size, score=2 * (100 - sigmoid_score(abs(size - _BEST), x0=0, w=0.05)))
