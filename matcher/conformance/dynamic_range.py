"""Dynamic range: the share of the range of luminances that the face uses."""

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

__all__ = ["DynamicRange"]


class DynamicRange:
    """Entropy of the face's luminance histogram, 0 (one level only) to 8 bits (all equally often).

    Source: ISO/IEC 29794-5, dynamic range, as in OFIQ.
    """

    component: Final = Component.DYNAMIC_RANGE
    method: Final = Method.STANDARD
    unit: Final = "bit"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        shares = aligned.histogram[aligned.histogram > 0]
        entropy = max(0.0, -float(shares @ np.log2(shares)))
        return assessed(entropy, score=12.5 * entropy)
