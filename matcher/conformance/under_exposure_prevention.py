"""Under-exposure prevention: whether areas of the face are nearly black."""

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
from matcher.conformance.scoring import sigmoid_score

__all__ = ["UnderExposurePrevention"]

_DARK: Final = slice(0, 26)


class UnderExposurePrevention:
    """Share of the face's pixels with a luminance of 0..25 of 255, 0 to 1.

    Source: ISO/IEC 29794-5, under-exposure prevention, as in OFIQ, except that pixels of hair and glasses in
    front of the face count too: the standard excludes them with a segmentation network, which no pack has.
    """

    component: Final = Component.UNDER_EXPOSURE_PREVENTION
    method: Final = Method.APPROXIMATION
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        dark = float(aligned.histogram[_DARK].sum())
        return assessed(dark, score=120 * (0.832 - sigmoid_score(dark, x0=0.92, w=0.05) / 100))
