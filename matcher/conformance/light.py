"""The measures of light and colour on the face."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.conformance.face_region import LEVELS, AlignedFace, luminance_histogram, luminance_image
from matcher.conformance.interface import (
    Assessment,
    PortraitView,
    assessed,
    of_aligned_face,
    sigmoid_score,
)

_DARK: Final = slice(0, 26)
_BRIGHT: Final = slice(247, 256)
_TO_XYZ: Final = np.array(
    [[0.43605, 0.38508, 0.14309], [0.22249, 0.71689, 0.06062], [0.01393, 0.09710, 0.71419]]
)
"""From linear sRGB to CIE XYZ under D50."""
_WHITE: Final = np.array([0.964221, 1.0, 0.825211])
"""XYZ of the white point D50."""
_EPSILON: Final = 216 / 24389
_KAPPA: Final = 24389 / 27
_NO_SKIN: Final = 100.0


@of_aligned_face
def illumination_uniformity(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure how alike the luminances of the two cheeks are, 0 (no level in common) to 1 (equal).

    Source: ISO/IEC 29794-5, illumination uniformity, as in OFIQ: the intersection of the luminance
    histograms of two squares on the cheeks, each as wide as 0.3 eye distances.
    """
    left, right = (luminance_histogram(luminance_image(cheek)) for cheek in aligned.cheeks)
    shared = float(np.minimum(left, right).sum())
    return assessed(shared, score=100 * shared**0.3)


@of_aligned_face
def luminance_mean(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the mean luminance of the face, 0 (black) to 1 (white).

    Source: ISO/IEC 29794-5, luminance mean, as in OFIQ. The light is linear: a well-lit face measures 0.2 to
    0.5. The score falls towards both ends.
    """
    mean = float(aligned.histogram @ LEVELS)
    dark_side = sigmoid_score(mean, x0=0.2, w=0.05) / 100
    bright_side = 1 - sigmoid_score(mean, x0=0.8, w=0.05) / 100
    return assessed(mean, score=100 * dark_side * bright_side)


@of_aligned_face
def luminance_variance(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the variance of the luminance of the face, of levels from 0 to 1; the variance is 0 to 0.25.

    Source: ISO/IEC 29794-5, luminance variance, as in OFIQ. The score is best at 1/60.
    """
    mean = float(aligned.histogram @ LEVELS)
    variance = float(aligned.histogram @ (LEVELS - mean) ** 2)
    return assessed(variance, score=100 * math.sin(math.pi * 60 * variance / (60 * variance + 1)))


@of_aligned_face
def under_exposure_prevention(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the share of the face's pixels with a luminance of 0..25 of 255, 0 to 1.

    Source: ISO/IEC 29794-5, under-exposure prevention, as in OFIQ, except that pixels of hair and glasses in
    front of the face count too: the standard excludes them with a segmentation network, which no pack has.
    """
    dark = float(aligned.histogram[_DARK].sum())
    return assessed(dark, score=120 * (0.832 - sigmoid_score(dark, x0=0.92, w=0.05) / 100))


@of_aligned_face
def over_exposure_prevention(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the share of the face's pixels with a luminance of 247..255 of 255, 0 to 1.

    Source: ISO/IEC 29794-5, over-exposure prevention, as in OFIQ, with hair and glasses as in
    ``under_exposure_prevention``.
    """
    bright = float(aligned.histogram[_BRIGHT].sum())
    return assessed(bright, score=1 / (bright + 0.01))


@of_aligned_face
def dynamic_range(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the entropy of the face's luminances, 0 (one level only) to 8 bits (all equally often).

    Source: ISO/IEC 29794-5, dynamic range, as in OFIQ.
    """
    shares = aligned.histogram[aligned.histogram > 0]
    entropy = max(0.0, -float(shares @ np.log2(shares)))
    return assessed(entropy, score=12.5 * entropy)


@of_aligned_face
def natural_colour(_: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure how far the mean colour of the cheeks is from skin, in CIELAB units of a* and b*.

    Source: ISO/IEC 29794-5, natural colour, as in OFIQ: skin has a* of 5..25 and b* of 5..35, under the white
    point D50; the distance is 0 inside, and 100 if a* or b* is below 0. A grey image measures 100 too,
    because the rounded matrix places greys just below 0.
    """
    a, b = _lab_of(aligned.cheeks.reshape(-1, 3).mean(axis=0))
    outside = math.hypot(max(0.0, 5 - a, a - 25), max(0.0, 5 - b, b - 35))
    distance = _NO_SKIN if a < 0 or b < 0 else outside
    return assessed(distance, score=200 * (1 - sigmoid_score(distance, x0=0.0, w=10.0) / 100))


def _lab_of(bgr: NDArray[np.float64]) -> tuple[float, float]:
    """Return a* and b* of a stored colour (CIE 15:2004; linear light after IEC 61966-2-1)."""
    stored = bgr[::-1] / 255.0
    linear = np.where(stored > 0.04045, ((stored + 0.055) / 1.055) ** 2.4, stored / 12.92)
    relative = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(relative <= _EPSILON, (_KAPPA * relative + 16) / 116, np.cbrt(relative))
    a, b = 500.0 * (x - y), 200.0 * (y - z)
    return float(a), float(b)
