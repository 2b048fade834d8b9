"""Luminance as ISO/IEC 29794-5 defines it: linear light, in 256 steps."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage

__all__ = ["Histogram", "luminance_histogram", "luminance_image"]

Histogram: TypeAlias = NDArray[np.float64]
"""Share of the pixels at each luminance 0..255, shape (256,); adds up to 1."""

_STORED: Final = np.arange(256) / 255.0
_LINEAR: Final = np.where(_STORED > 0.04045, ((_STORED + 0.055) / 1.055) ** 2.4, _STORED / 12.92)
"""IEC 61966-2-1 (sRGB): from stored value to linear light."""
_WEIGHTS_BGR: Final = (0.0722, 0.7152, 0.2126)
"""ITU-R BT.709: share of each channel in the luminance."""


_TABLES: Final = (255.0 * _LINEAR[None, :, None] * np.array(_WEIGHTS_BGR)).astype(np.float32)
_SUM: Final = np.ones((1, 3), dtype=np.float32)


def luminance_image(image: BgrImage) -> NDArray[np.uint8]:
    """Return the relative luminance of every pixel.

    Source: ISO/IEC 29794-5, as in OFIQ: sRGB is decoded to linear light, weighted after ITU-R BT.709, and
    rounded to 0..255. Therefore mid-grey on a screen (stored 188) is 128, and skin measures dark.

    Args:
        image: Shape (height, width, 3).

    Returns:
        Shape (height, width), 0 (black) to 255 (white).
    """
    if image.size == 0:
        return np.zeros(image.shape[:2], dtype=np.uint8)
    weighted = cv2.LUT(image, _TABLES)
    return cv2.convertScaleAbs(cv2.transform(weighted, _SUM)).astype(np.uint8, copy=False)


def luminance_histogram(luminance: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> Histogram:
    """Return the histogram of the luminance.

    Args:
        luminance: Shape (height, width), from ``luminance_image``.
        mask: Same shape; pixels of value 0 do not count. None counts all.

    Returns:
        Shares; all 0 if no pixel counts.
    """
    seen = luminance.ravel() if mask is None else luminance[mask > 0]
    counts = np.bincount(seen, minlength=256).astype(np.float64)
    return counts / max(1.0, float(counts.sum()))
