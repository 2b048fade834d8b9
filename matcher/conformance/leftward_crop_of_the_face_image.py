"""Is there enough picture on the left of the face?"""

from typing import Final

from matcher.conformance.crop_score import assess_crop, eye_centres
from matcher.conformance.interface import Assessment, Component, Method, PortraitView

__all__ = ["LeftwardCropOfTheFaceImage"]


class LeftwardCropOfTheFaceImage:
    """Distance from the picture's left edge to the eye that is nearer to it; implements ``Measure``.

    Source: ISO/IEC 29794-5 as OFIQ has it (``CropOfTheFaceImage``), on the landmarks' eye centres, or on the
    detector's where there are no landmarks.
    """

    component: Final = Component.LEFTWARD_CROP
    method: Final = Method.STANDARD
    unit: Final = "eye distances"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Native measure in eye distances."""
        left, _, distance = eye_centres(portrait)
        return assess_crop(left, distance)
