"""The colours of the challenge, and the limits that keep them safe for photosensitive people.

**The colours** are eight: the corners of a cube in linear light, each channel either ``LOW`` or full.
Any two of them differ in at least one channel by the same large amount of light, and never by more, so that
all changes are equally measurable. Black is excluded: the face stays lit, and changes stay bounded.

**Why it is safe**, in the terms of WCAG 2.2, success criterion 2.3.1 (level A, "three flashes or below
threshold"), whose thresholds come from the analysis of broadcast flashes by G. Harding and P. Harding:

* *General flashes.* A flash is a pair of opposing changes of relative luminance by 10 % of the maximum or
  more, the darker below 0.80. Allowed are three in any second. Colours stay for 350 ms and longer, so that in
  any second at most three changes happen: one flash and a half, half of the allowed number.
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

__all__ = ["LEAD_IN", "LOW", "PALETTE"]

LOW: Final = 0.15
"""The linear light of a low channel; 108 as an sRGB value."""


def _encoded(light: float) -> int:
    """Returns the 8-bit sRGB value (IEC 61966-2-1) of a linear light of 0..1."""
    return round(255 * float(encode(np.asarray(light))))


PALETTE: Final = tuple(
    ScreenColour(red, green, blue) for red, green, blue in product((_encoded(LOW), 255), repeat=3)
)
"""The eight colours, from dark grey to white. Each may follow any other."""

LEAD_IN: Final = ScreenColour(*(3 * (_encoded((1 + LOW) / 2),)))
"""The grey half-way, in light, between the darkest colour and white: shown first, and last."""
