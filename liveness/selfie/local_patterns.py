"""Uniform local binary patterns of an image.

Source: T. Ojala, M. Pietikäinen and T. Mäenpää, "Multiresolution Gray-Scale and Rotation Invariant Texture
Classification with Local Binary Patterns", IEEE PAMI 24(7), 2002: eight neighbours at radius 1, the
diagonal ones interpolated (section 2.1), and uniform patterns (section 2.3).
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.selfie.subject import GreyCrop

__all__ = ["LBP_BINS", "lbp_codes", "lbp_histogram", "pattern_entropy"]

LBP_BINS: Final = 59
"""The number of bins: 58 uniform patterns in the order of their codes, and a last bin for all others."""

_NEIGHBOURS: Final = 8
_MOST_CHANGES: Final = 2
_TOLERANCE: Final = 1e-6
_DIAGONAL: Final = math.sqrt(0.5)
"""The neighbours of a pixel; the most changes around it in a uniform pattern; the difference of grey levels
up to which two values are equal, against rounding; the coordinate of a diagonal neighbour at radius 1. All
but the third are the source's."""


def _uniform_bins() -> NDArray[np.uint8]:
    """Returns the bin of each of the 256 codes."""
    bins = np.full(256, LBP_BINS - 1, np.uint8)
    uniform = [code for code in range(256) if _changes(code) <= _MOST_CHANGES]
    bins[uniform] = np.arange(len(uniform))
    return bins


def _changes(code: int) -> int:
    """Returns how often neighbouring bits differ, around the circle."""
    turned = (code >> 1) | ((code & 1) << (_NEIGHBOURS - 1))
    return (code ^ turned).bit_count()


_BINS: Final = _uniform_bins()
_BINS.setflags(write=False)


def lbp_codes(grey: GreyCrop) -> NDArray[np.uint8]:
    """Returns the pattern around every pixel that has eight neighbours.

    Bit ``p`` is set if the neighbour at ``p`` times 45 degrees, counter-clockwise from the right, is at least
    as bright as the pixel.

    Args:
        grey: Shape (height, width), each 3 or more.

    Returns:
        Bins 0..58 (see ``LBP_BINS``), shape (height - 2, width - 2).
    """
    picture = grey.astype(np.float64)
    centre = picture[1:-1, 1:-1]
    codes = np.zeros(centre.shape, np.uint8)
    for index, (right, down) in enumerate(
        ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    ):
        beside, below = _moved(picture, right, 0), _moved(picture, 0, down)
        if right and down:
            near, far = 1 - _DIAGONAL, _DIAGONAL
            corner = _moved(picture, right, down)
            neighbour = near * near * centre + near * far * (beside + below) + far * far * corner
        else:
            neighbour = beside if right else below
        codes |= (neighbour >= centre - _TOLERANCE).astype(np.uint8) << np.uint8(index)
    return _BINS[codes]


def lbp_histogram(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the share of each pattern.

    Args:
        codes: The result of ``lbp_codes``, at least one code.

    Returns:
        Shape (59,): shares that sum to 1.
    """
    return np.bincount(codes.ravel(), minlength=LBP_BINS) / codes.size


def pattern_entropy(histogram: NDArray[np.float64]) -> float:
    """Returns the Shannon entropy in bits, 0 to log2(59) = 5.88."""
    present = histogram[histogram > 0]
    return max(0.0, float(-(present * np.log2(present)).sum()))


def _moved(picture: NDArray[np.float64], right: int, down: int) -> NDArray[np.float64]:
    height, width = picture.shape
    return picture[1 + down : height - 1 + down, 1 + right : width - 1 + right]
