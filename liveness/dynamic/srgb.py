"""The transfer function of sRGB (IEC 61966-2-1), to compute with linear light."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LINEAR_LIGHT", "encode"]

_LINEAR_TO: Final = 0.0031308
_ENCODED_TO: Final = 0.04045
"""The ends of the function's linear part, in light and in value. All five constants are the standard's."""
_SLOPE: Final = 12.92
_OFFSET: Final = 0.055
_EXPONENT: Final = 2.4
"""The slope of the linear part; the offset and the exponent of the curve."""


def encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the sRGB values, 0..1, of linear light, 0..1."""
    curve = (1 + _OFFSET) * light ** (1 / _EXPONENT) - _OFFSET
    values: NDArray[np.float64] = np.where(light <= _LINEAR_TO, _SLOPE * light, curve)
    return values


def _table() -> NDArray[np.float64]:
    encoded = np.arange(256) / 255
    curve = ((encoded + _OFFSET) / (1 + _OFFSET)) ** _EXPONENT
    light = np.where(encoded <= _ENCODED_TO, encoded / _SLOPE, curve)
    light.setflags(write=False)
    return light


LINEAR_LIGHT: Final = _table()
"""Shape (256,): the linear light of each 8-bit value, 0..1 of the brightest."""
