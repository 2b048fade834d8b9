"""One step of the screen-flash challenge: its colour, transition and duration."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.srgb import LINEAR_LIGHT
from liveness.errors import LivenessPolicyError

__all__ = ["SHORTEST_HOLD_SECONDS", "ColourStep", "RevealedStep", "ScreenColour", "Transition"]

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
