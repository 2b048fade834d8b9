"""The colours of the challenge, and the limits that keep them safe for photosensitive people.

**What is shown.** Eight colours: the corners of a cube in linear light, each channel either ``LOW`` or full.
Any two of them differ in at least one channel by the same large amount of light, and never by more, so that
all changes are equally measurable. Black is excluded: the face stays lit, and changes stay bounded.

**Why it is safe**, in the terms of WCAG 2.2, success criterion 2.3.1 (level A, "three flashes or below
threshold"), whose thresholds come from the analysis of broadcast flashes by G. Harding and P. Harding:

* *General flashes.* A flash is a pair of opposing changes of relative luminance by 10 % of the maximum or
  more, the darker below 0.80. Allowed are three in any second. Colours stay for 350 ms and longer, so that in
  any second at most three changes happen: one flash and a half, half of what is allowed.
* *Red flashes.* Opposing changes to or from a saturated red, R / (R + G + B) of 0.8 or more. The reddest
  colour here has 0.77, so there are none.
* *Bounded changes.* Relative luminance changes by at most 0.85, from 0.15 to 1 and back.

WCAG bounds the risk and cannot exclude it. A person who is photosensitive, or unwell in flashing light,
must be able to decline before the first colour; see ``liveness.dynamic.policy``.
"""

from itertools import product
from typing import Final

import numpy as np

from liveness.dynamic.challenge.steps import ScreenColour
from liveness.dynamic.srgb import encode

__all__ = [
    "LARGEST_LUMINANCE_STEP",
    "LARGEST_RED_SHARE",
    "LEAD_IN",
    "LOW",
    "MOST_CHANGES_A_SECOND",
    "PALETTE",
    "flash_between",
    "red_flash_between",
    "red_share",
]

LOW: Final = 0.15
"""The linear light of a low channel; 108 as an sRGB value."""

MOST_CHANGES_A_SECOND: Final = 3
LARGEST_LUMINANCE_STEP: Final = 0.86
"""0.85, plus a margin for the rounding to 8 bits."""
LARGEST_RED_SHARE: Final = 0.8
"""WCAG 2.2: R / (R + G + B) from which a red is saturated."""

_FLASH: Final = 0.1
"""WCAG 2.2: change of the relative luminance from which it is half of a flash."""
_BRIGHT: Final = 0.8
"""WCAG 2.2: the relative luminance below which the darker of both must lie for that."""
_RED_SHIFT: Final = 0.2
"""WCAG 2.2: distance in the CIE 1976 UCS diagram from which it is half of a red flash."""
_TO_XYZ: Final = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
"""CIE XYZ by linear red, green and blue (IEC 61966-2-1)."""


def _encoded(light: float) -> int:
    """Returns the 8-bit sRGB value (IEC 61966-2-1) of a linear light of 0..1."""
    return round(255 * float(encode(np.asarray(light))))


PALETTE: Final = tuple(
    ScreenColour(red, green, blue) for red, green, blue in product((_encoded(LOW), 255), repeat=3)
)
"""The eight colours, from dark grey to white. Each may follow any other."""

LEAD_IN: Final = ScreenColour(*(3 * (_encoded((1 + LOW) / 2),)))
"""The grey half-way, in light, between the darkest colour and white: shown first, and last."""


def flash_between(before: ScreenColour, after: ScreenColour) -> bool:
    """Returns whether the change is half of a general flash in the sense of WCAG 2.2."""
    darker, brighter = sorted((before.luminance, after.luminance))
    return brighter - darker >= _FLASH and darker < _BRIGHT


def red_share(colour: ScreenColour) -> float:
    """Returns R / (R + G + B) in linear light, 0..1; 0 for black."""
    light = colour.linear
    return float(light[0] / light.sum()) if light.any() else 0.0


def red_flash_between(before: ScreenColour, after: ScreenColour) -> bool:
    """Returns whether the change is half of a red flash in the sense of WCAG 2.2.

    At least one colour is a saturated red, and the two lie more than 0.2 apart in the CIE 1976 UCS diagram.
    """
    if max(red_share(before), red_share(after)) < LARGEST_RED_SHARE:
        return False
    (u, v), (other_u, other_v) = _chromaticity(before), _chromaticity(after)
    return float(((u - other_u) ** 2 + (v - other_v) ** 2) ** 0.5) > _RED_SHIFT


def _chromaticity(colour: ScreenColour) -> tuple[float, float]:
    """Returns (u', v') of CIE 1976 UCS, from the sRGB primaries; those of white for black."""
    red, green, blue = colour.linear if colour.linear.any() else (1.0, 1.0, 1.0)
    x, y, z = (r * red + g * green + b * blue for r, g, b in _TO_XYZ)
    weight = x + 15 * y + 3 * z
    return float(4 * x / weight), float(9 * y / weight)
