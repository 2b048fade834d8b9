"""Over-exposure prevention: whether areas of the face are overexposed."""

from typing import Final

from matcher.conformance.face_region import NO_ALIGNED_FACE
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)

__all__ = ["OverExposurePrevention"]

_BRIGHT: Final = slice(247, 256)


class OverExposurePrevention:
    """Share of the face's pixels with a luminance of 247..255 of 255, 0 to 1.

    Source: ISO/IEC 29794-5, over-exposure prevention, as in OFIQ, except that pixels of hair and glasses in
    front of the face count too: the standard excludes them with a segmentation network, which no pack has.
    """

    component: Final = Component.OVER_EXPOSURE_PREVENTION
    method: Final = Method.APPROXIMATION
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        bright = float(aligned.histogram[_BRIGHT].sum())
        return assessed(bright, score=1 / (bright + 0.01))
