"""Luminance variance: whether the face has enough contrast, but not too much."""

import math
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

__all__ = ["LuminanceVariance"]

_LEVELS: Final = np.arange(256) / 255.0


class LuminanceVariance:
    """Variance of the luminance of the face, of levels from 0 to 1; the variance is 0 to 0.25.

    Source: ISO/IEC 29794-5, luminance variance, as in OFIQ. The score is best at 1/60.
    """

    component: Final = Component.LUMINANCE_VARIANCE
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        mean = float(aligned.histogram @ _LEVELS)
        variance = float(aligned.histogram @ (_LEVELS - mean) ** 2)
        return assessed(variance, score=100 * math.sin(math.pi * 60 * variance / (60 * variance + 1)))
