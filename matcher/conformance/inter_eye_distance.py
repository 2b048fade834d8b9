"""Inter-eye distance: whether the face is large enough."""

import math
from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed
from matcher.conformance.scoring import sigmoid_score

__all__ = ["InterEyeDistance"]


class InterEyeDistance:
    """Distance between the eye centres in the image; implements ``Measure``.

    The score is that of ISO/IEC 29794-5, as in OFIQ (``InterEyeDistance``): 50 at 70 pixels, 68 at 85, 92 at
    120. OFIQ first divides the distance by the cosine of the yaw. Facegate does not, because with this
    correction a turned head, of which fewer pixels are visible, would count as a large one. Up to 10 degrees
    the two differ by less than 1.6%.
    """

    component: Final = Component.INTER_EYE_DISTANCE
    method: Final = Method.APPROXIMATION
    unit: Final = "px"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the eye distance; the native measure is in pixels of the image."""
        distance = portrait.face.eye_distance
        if not math.isfinite(distance):
            return not_assessed("the detector's eye points are not numbers")
        return assessed(distance, score=sigmoid_score(distance, x0=70, w=20))
