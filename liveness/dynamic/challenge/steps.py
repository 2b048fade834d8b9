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

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.sample import LINEAR_LIGHT, encode
from liveness.errors import LivenessPolicyError

SHORTEST_HOLD_SECONDS: Final = 0.35
"""The least time of each colour, which allows at most 3 changes in a second."""

_LUMINANCE: Final = (0.2126, 0.7152, 0.0722)
_ROUNDING: Final = 1e-9
"""The tolerance for rounding in sums of logarithms, bits."""


class Transition(StrEnum):
    """How a colour replaces the one before."""

    FLAT = "FLAT"
    """At once, over the whole screen."""
    SCROLL_DOWN = "SCROLL_DOWN"
    """From the top downwards, pushing the colour before out at the bottom."""


@dataclass(frozen=True, slots=True)
class ScreenColour:
    """A colour of the screen, sRGB (IEC 61966-2-1), each channel 0..255.

    Raises:
        LivenessPolicyError: A channel is out of range.
    """

    red: int
    green: int
    blue: int

    def __post_init__(self) -> None:
        if not all(0 <= channel <= 255 for channel in (self.red, self.green, self.blue)):
            raise LivenessPolicyError(
                f"a colour's channels are 0..255; they are {self.red}, {self.green}, {self.blue}"
            )

    @property
    def linear(self) -> NDArray[np.float64]:
        """Shape (3,): the light of red, green and blue, 0..1 of the screen's brightest."""
        return LINEAR_LIGHT[[self.red, self.green, self.blue]]

    @property
    def luminance(self) -> float:
        """Relative luminance, 0..1 of white's (WCAG 2.2, "relative luminance")."""
        return float(self.linear @ np.array(_LUMINANCE))


@dataclass(frozen=True, slots=True)
class ColourStep:
    """One step, as it is sent to the device.

    Attributes:
        number: The step's number, from 1 over the whole scan.
        colour: The colour to show.
        transition: How the colour replaces the one before.
        transition_seconds: The duration of a scrolling transition, 0..1 s; 0 for a flat one.
        hold_seconds: The least time that the colour fills the screen, 0.35 s or more.
        bits: The entropy of the step's draws: colour, transition and hold; 0 for the lead-in and the
            closing step, which are public.
        last: Whether this is the closing step, after which the screen returns to normal.
        transition_bits: The part of ``bits`` that only a measured transition proves.
        hold_bits: The part of ``bits`` that only measured appearance times prove.

    Raises:
        LivenessPolicyError: A duration or an entropy is out of its range.
    """

    number: int
    colour: ScreenColour
    transition: Transition
    transition_seconds: float
    hold_seconds: float
    bits: float
    last: bool
    transition_bits: float = 0.0
    hold_bits: float = 0.0

    def __post_init__(self) -> None:
        if self.number < 1:
            raise LivenessPolicyError(f"steps are numbered from 1; this one has {self.number}")
        if not 0 <= self.transition_seconds <= 1:
            raise LivenessPolicyError(
                f"a transition takes 0 to 1 s; this one takes {self.transition_seconds}"
            )
        if not SHORTEST_HOLD_SECONDS <= self.hold_seconds < float("inf"):
            raise LivenessPolicyError(
                f"a colour is held for {SHORTEST_HOLD_SECONDS} s or more, not {self.hold_seconds}"
            )
        if min(self.transition_bits, self.hold_bits, self.colour_bits) < -_ROUNDING:
            raise LivenessPolicyError("the entropy of a step's parts exceeds the whole, or is negative")

    @property
    def colour_bits(self) -> float:
        """The part of ``bits`` that the measured colour proves."""
        return self.bits - self.transition_bits - self.hold_bits


@dataclass(frozen=True, slots=True)
class RevealedStep:
    """A step and when it was sent (``FlashChallenge.note_sent``), on the server's monotonic clock."""

    step: ColourStep
    at: float


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
