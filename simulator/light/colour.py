"""Colours of light: sRGB to linear and back, the colour of a black body, the colour of melanin.

Arrays here are in OpenCV's order, blue-green-red, because the frames are.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_linear", "kelvin_colour", "linear_of_srgb", "linear_table", "luminance", "melanin_factor"]

_LUMINANCE = np.array((0.0722, 0.7152, 0.2126))
# CIE XYZ to linear sRGB (IEC 61966-2-1).
_TO_RGB = np.array(
    ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570)), dtype=np.float64
)
# Absorption of melanin at about 460, 540 and 620 nm against 540 nm: the power law -3.33 of Jacques 2013,
# "Optical properties of biological tissues: a review".
_MELANIN = np.array((1.71, 1.0, 0.63))
_DEEPEST_MELANIN = 1.4


@cache
def linear_table() -> NDArray[np.float32]:
    """Return the linear light 0..1 of each 8-bit sRGB value (IEC 61966-2-1), shape (256,)."""
    value = np.arange(256) / 255
    table = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
    table.flags.writeable = False
    return table


def from_linear(light: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the 8-bit sRGB of linear light; values outside 0..1 are clipped."""
    value = np.clip(light, 0, 1)
    coded = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(coded * 255), dtype=np.uint8)


def linear_of_srgb(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the linear blue-green-red 0..1 of a red-green-blue sRGB triple 0..255."""
    return linear_table()[list(reversed(colour))].astype(np.float64)


def luminance(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the relative luminance of linear blue-green-red light in the last axis (ITU-R BT.709)."""
    result: NDArray[np.float64] = light @ _LUMINANCE
    return result


def kelvin_colour(kelvin: float) -> NDArray[np.float64]:
    """Return the linear blue-green-red colour of luminance 1 for light of a colour temperature.

    The cubic approximation of the Planckian locus by Kim et al. 2002 (US patent 7024034), which holds from
    1667 to 25000 K.
    """
    t = 1000.0 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    rgb = _TO_RGB @ np.array((x / y, 1.0, (1 - x - y) / y))
    colour = np.clip(rgb[::-1], 0.01, None)
    return np.asarray(colour / luminance(colour), dtype=np.float64)


def melanin_factor(amount: float) -> NDArray[np.float64]:
    """Return the factor on the albedo for ``amount`` (0..1) of added melanin, blue-green-red.

    Beer-Lambert with the colour of melanin; 1 reduces light skin to about a quarter of its luminance.
    """
    return np.asarray(np.exp(-_DEEPEST_MELANIN * amount * _MELANIN), dtype=np.float64)
