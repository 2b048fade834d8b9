"""Natural colour: whether the skin has a colour that skin can have."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

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

__all__ = ["NaturalColour"]

_TO_XYZ: Final = np.array(
    [[0.43605, 0.38508, 0.14309], [0.22249, 0.71689, 0.06062], [0.01393, 0.09710, 0.71419]]
)
"""From linear sRGB to CIE XYZ under D50."""
_WHITE: Final = np.array([0.964221, 1.0, 0.825211])
"""XYZ of the white point D50."""
_EPSILON: Final = 216 / 24389
_KAPPA: Final = 24389 / 27
_NO_SKIN: Final = 100.0


class NaturalColour:
    """Distance of the mean colour of the cheeks from the colours of skin, in CIELAB units of a* and b*.

    Source: ISO/IEC 29794-5, natural colour, as in OFIQ: skin has a* of 5..25 and b* of 5..35, under the white
    point D50; the distance is 0 inside, and 100 if a* or b* is below 0. A grey image measures 100 too,
    because the rounded matrix places greys just below 0.
    """

    component: Final = Component.NATURAL_COLOUR
    method: Final = Method.STANDARD
    unit: Final = "CIELAB"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        a, b = _lab_of(aligned.cheeks.reshape(-1, 3).mean(axis=0))
        if a < 0 or b < 0:
            distance = _NO_SKIN
        else:
            distance = math.hypot(max(0.0, 5 - a, a - 25), max(0.0, 5 - b, b - 35))
        return assessed(distance, score=200 * (1 - sigmoid_score(distance, x0=0.0, w=10.0) / 100))


def _lab_of(bgr: NDArray[np.float64]) -> tuple[float, float]:
    """Return a* and b* of a stored colour (CIE 15:2004; linear light after IEC 61966-2-1)."""
    stored = bgr[::-1] / 255.0
    linear = np.where(stored > 0.04045, ((stored + 0.055) / 1.055) ** 2.4, stored / 12.92)
    relative = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(relative <= _EPSILON, (_KAPPA * relative + 16) / 116, np.cbrt(relative))
    a, b = 500.0 * (x - y), 200.0 * (y - z)
    return float(a), float(b)
