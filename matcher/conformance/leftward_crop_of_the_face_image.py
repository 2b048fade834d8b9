"""Leftward crop: whether there is enough space on the left of the face."""

from typing import Final

from matcher.conformance.crop_score import assess_crop, eye_centres
from matcher.conformance.interface import Assessment, Component, Method, PortraitView

__all__ = ["LeftwardCropOfTheFaceImage"]


class LeftwardCropOfTheFaceImage:
    """Distance from the image's left edge to the nearer eye, divided by the distance between the eyes.

    Implements ``Measure``. Source: ISO/IEC 29794-5, as in OFIQ (``CropOfTheFaceImage``). The eye centres are
    those of the landmarks; without landmarks, those of the detector.
    """

    component: Final = Component.LEFTWARD_CROP
    method: Final = Method.STANDARD
    unit: Final = "eye distances"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Assess the space on the left. The unit of the native measure is the distance between the eyes."""
        left, _, distance = eye_centres(portrait)
        return assess_crop(left, distance)
