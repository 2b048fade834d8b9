"""Luminance mean: whether the face is too dark or too bright."""

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
from matcher.conformance.scoring import sigmoid_score

__all__ = ["LuminanceMean"]

_LEVELS: Final = np.arange(256) / 255.0


class LuminanceMean:
    """Mean luminance of the face, 0 (black) to 1 (white).

    Source: ISO/IEC 29794-5, luminance mean, as in OFIQ. The light is linear: a well-lit face measures 0.2 to
    0.5. The score falls towards both ends.
    """

    component: Final = Component.LUMINANCE_MEAN
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        mean = float(aligned.histogram @ _LEVELS)
        dark_side = sigmoid_score(mean, x0=0.2, w=0.05) / 100
        bright_side = 1 - sigmoid_score(mean, x0=0.8, w=0.05) / 100
        return assessed(mean, score=100 * dark_side * bright_side)
