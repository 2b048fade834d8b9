"""sRGB's transfer function (IEC 61966-2-1): light adds up only where it is linear."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LINEAR_LIGHT"]


def _table() -> NDArray[np.float64]:
    encoded = np.arange(256) / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    light.setflags(write=False)
    return light


LINEAR_LIGHT: Final = _table()
"""Shape (256,): the light of each 8-bit value, 0..1 of the brightest."""
