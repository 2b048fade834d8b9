"""Is there enough picture on the right of the face?"""

from typing import Final

from matcher.conformance.crop_score import assess_crop, eye_centres
from matcher.conformance.interface import Assessment, Component, Method, PortraitView

__all__ = ["RightwardCropOfTheFaceImage"]


class RightwardCropOfTheFaceImage:
    """Distance from the eye that is nearer to the picture's right edge to that edge; implements ``Measure``.

    Source: ISO/IEC 29794-5 as OFIQ has it (``CropOfTheFaceImage``), on the landmarks' eye centres, or on the
    detector's where there are no landmarks.
    """

    component: Final = Component.RIGHTWARD_CROP
    method: Final = Method.STANDARD
    unit: Final = "eye distances"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Native measure in eye distances."""
        _, right, distance = eye_centres(portrait)
        return assess_crop(portrait.image.shape[1] - right, distance)
