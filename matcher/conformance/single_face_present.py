"""Single face present: whether the person is alone in the image."""

import math
from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, assessed, not_assessed

__all__ = ["SingleFacePresent"]


class SingleFacePresent:
    """Size of the second largest face over the largest; implements ``Measure``.

    Source: ISO/IEC 29794-5, as in OFIQ (``SingleFacePresent``): the native measure is the square root of the
    second largest face's area over the largest one's, and 0 if there is only one face; the score is
    100 (1 - native).
    """

    component: Final = Component.SINGLE_FACE_PRESENT
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the other faces; the native measure is 0 (alone) to 1 (two faces of one size)."""
        areas = sorted((face.box.area for face in portrait.faces), reverse=True)
        if not areas or areas[0] <= 0:
            return not_assessed("the detector's boxes have no area")
        unicity = math.sqrt(areas[1] / areas[0]) if len(areas) > 1 else 0.0
        return assessed(unicity, score=100 * (1 - unicity))
