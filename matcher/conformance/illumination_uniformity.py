"""Illumination uniformity: whether both sides of the face are lit alike."""

from typing import Final

import numpy as np

from matcher.conformance.face_region import NO_ALIGNED_FACE
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)
from matcher.conformance.luminance import luminance_histogram, luminance_image

__all__ = ["IlluminationUniformity"]


class IlluminationUniformity:
    """Similarity of the luminances of the two cheeks, 0 (no level in common) to 1 (equal).

    Source: ISO/IEC 29794-5, illumination uniformity, as in OFIQ: the intersection of the luminance
    histograms of two squares on the cheeks, each as wide as 0.3 eye distances.
    """

    component: Final = Component.ILLUMINATION_UNIFORMITY
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        left, right = (luminance_histogram(luminance_image(cheek)) for cheek in aligned.cheeks)
        shared = float(np.minimum(left, right).sum())
        return assessed(shared, score=100 * shared**0.3)
