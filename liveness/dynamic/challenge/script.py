"""Draws the steps of the challenge, one at a time, when each is needed.

A step does not exist before it is drawn, so the server's memory, log and database never contain a future
colour. The script keeps only the colour on display and the number of colours drawn.

Each draw is independent and uses rejection from random bytes:

* the colour: one of the palette except the one on display; 7 of 8, and 8 of 8 after the lead-in grey;
* the transition: a scroll once in ``scroll_one_in`` steps;
* the hold: one of ``holds``.

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

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.sample import LINEAR_LIGHT, encode
from liveness.errors import LivenessPolicyError, RandomSourceError

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
    """Return the 8-bit sRGB value (IEC 61966-2-1) of a linear light of 0..1."""
    return round(255 * float(encode(np.asarray(light))))


PALETTE: Final = tuple(
    ScreenColour(red, green, blue) for red, green, blue in product((_encoded(LOW), 255), repeat=3)
)
"""The eight colours, from dark grey to white. Each may follow any other."""

LEAD_IN: Final = ScreenColour(*(3 * (_encoded((1 + LOW) / 2),)))
"""The grey half-way, in light, between the darkest colour and white: shown first, and last."""


# Unpredictable draws, and the number of bits that right answers to them prove.
#
# A *bit* here is always minus the binary logarithm of a probability. A step that was drawn with probability p
# carries -log2 p bits, so the bits of a sequence are exactly those of guessing that sequence, and their mean
# is the entropy of the distribution.

RandomBytes: TypeAlias = Callable[[int], bytes]
"""Returns the requested number of bytes from a cryptographic random source, such as ``os.urandom``."""

_BYTES: Final = 256
"""The number of values of a byte."""
_MOST_TRIES: Final = 128
"""The most tries. Each fails with a probability below 1/2, so a source that fails them all is faulty."""

_PRIOR_WEIGHT: Final = 4
"""A genuine step is expected to be measured in 4 of 5 cases: the mean of the prior Beta(4, 1)."""


def draw_below(random: RandomBytes, count: int) -> int:
    """Draw an integer from 0 to ``count`` - 1, uniformly.

    A byte that would favour some numbers is rejected (Knuth, TAOCP 2, 3.4.1; NIST
    SP 800-90A Rev. 1, B.5.1.1, "simple discard").

    Args:
        random: The source of the bytes.
        count: The number of integers to draw from, 1 to 256.

    Raises:
        RandomSourceError: The source does not give exactly one byte, or its bytes cannot be random.
        ValueError: ``count`` is out of its range.
    """
    if not 1 <= count <= _BYTES:
        raise ValueError(f"1 to 256 numbers can be drawn from, not {count}")
    fair = _BYTES - _BYTES % count
    for _ in range(_MOST_TRIES):
        drawn = random(1)
        if len(drawn) != 1:
            raise RandomSourceError(f"the random source gave {len(drawn)} bytes; 1 was requested")
        if drawn[0] < fair:
            return drawn[0] % count
    raise RandomSourceError(f"the random source is faulty: {_MOST_TRIES} bytes in a row had to be rejected")


def bits_of_choice(count: int) -> float:
    """Return the entropy, in bits, of a uniform choice among ``count`` things."""
    return math.log2(count)


def bits_beyond_chance(verified: Sequence[float], *, shown: int) -> float:
    """Return the bits that right answers prove, even if an attacker can omit steps at will; 0 or more.

    An attacker who guesses blindly can make a wrongly guessed step unmeasurable (by a movement, or a hand in
    front of the camera), and so gets several tries. The sum of the bits of right answers is therefore too
    high. With v right answers among n steps, this function returns::

        sum(verified) + log2( integral over q in 0..1 of  Beta(4, 1)(q) q^v (1 - q)^(n - v) )

    that is, the likelihood ratio of a person who answers an unknown share q rightly, against a guess.
    Under guessing it never exceeds a martingale that starts at 1, so that, by Ville's inequality, the chance
    that it ever reaches b bits is at most 2^-b, however long the scan continues, whichever steps are omitted
    and whenever it stops; a second attempt is a second chance (Ville 1939; Howard, Ramdas et al.,
    "Time-uniform Chernoff bounds", 2020). The correction costs a genuine person 1.2 bits when all of 5 steps
    are measured, and 3.5 when one of 6 is not.

    Args:
        verified: The bits of each step with a right answer, at most minus the binary logarithm of the chance
            to guess it.
        shown: The number of steps with bits that were shown, answered or not.

    Raises:
        ValueError: More steps were verified than shown, or bits are negative.
    """
    right, missed = len(verified), shown - len(verified)
    if missed < 0:
        raise ValueError(f"{right} steps were verified of {shown} that were shown")
    if any(bits < 0 for bits in verified):
        raise ValueError("a step cannot carry negative bits")
    evidence = (
        math.log(_PRIOR_WEIGHT)
        + math.lgamma(right + _PRIOR_WEIGHT)
        + math.lgamma(missed + 1)
        - math.lgamma(shown + _PRIOR_WEIGHT + 1)
    )
    return max(0.0, math.fsum(verified) + evidence / math.log(2))


FEWEST_DRAWN_BITS: Final = 20.0
"""The least entropy of the colours of a full script, bits."""
_SHORTEST_SCROLL_SECONDS: Final = 0.05
"""The shortest scroll, seconds. A shorter one lasts two or three frames of a display, which is a jump."""


@dataclass(frozen=True, slots=True)
class ScriptSettings:
    """The choices of the draws.

    Attributes:
        steps: The number of coloured steps of a full script; their colours must carry 20 bits or more.
        holds: The possible holds of a colour, seconds: 1 to 256 different times of 0.35..2.
        scroll_one_in: One in this number of steps scrolls in from the top, 1..256; ``None`` for devices that
            cannot scroll.
        scroll_seconds: The duration of a scroll, seconds, 0.05..1.
        lead_in_seconds: The hold of the first grey, seconds, 0.35..2.

    Raises:
        LivenessPolicyError: A value is out of its range, or the colours of a full script carry too little.
    """

    steps: int = 8
    holds: tuple[float, ...] = (0.35, 0.4, 0.45, 0.5)
    scroll_one_in: int | None = 4
    scroll_seconds: float = 0.3
    lead_in_seconds: float = 0.4

    def __post_init__(self) -> None:
        if not 1 <= len(self.holds) <= 256 or len(set(self.holds)) != len(self.holds):
            raise LivenessPolicyError("1 to 256 different holds are needed")
        if not all(SHORTEST_HOLD_SECONDS <= seconds <= 2 for seconds in (*self.holds, self.lead_in_seconds)):
            raise LivenessPolicyError(f"holds last {SHORTEST_HOLD_SECONDS} to 2 s")
        if self.scroll_one_in is not None and not 1 <= self.scroll_one_in <= 256:
            raise LivenessPolicyError(f"scroll_one_in is {self.scroll_one_in}; it must be 1 to 256")
        if not _SHORTEST_SCROLL_SECONDS <= self.scroll_seconds <= 1:
            raise LivenessPolicyError(
                f"a scroll takes {_SHORTEST_SCROLL_SECONDS} to 1 s, not {self.scroll_seconds}"
            )
        if self.steps < 1 or self.colour_bits < FEWEST_DRAWN_BITS:
            raise LivenessPolicyError(
                f"the colours of {self.steps} steps carry less than {FEWEST_DRAWN_BITS:.0f} bits"
            )

    @property
    def colour_bits(self) -> float:
        """The entropy of the colours of a full script, bits: log2(8 * 7^(steps - 1))."""
        return bits_of_choice(len(PALETTE)) + (self.steps - 1) * bits_of_choice(len(PALETTE) - 1)


class ColourScript:
    """The steps of one challenge. Not safe to call from several threads at once."""

    def __init__(
        self, random: RandomBytes, settings: ScriptSettings | None = None, *, first_number: int = 1
    ) -> None:
        """Start before the lead-in; draw nothing.

        Args:
            random: Cryptographic random bytes.
            settings: The choices of the draws; the defaults if None.
            first_number: The number of the first step; a later attempt of the same scan continues the count.
        """
        self._random = random
        self.settings = settings or ScriptSettings()
        """The choices of the draws."""
        self._number = first_number
        self._shown: ScreenColour | None = None
        self._closed = False
        self.coloured = 0
        """The number of steps with bits drawn so far: all except the lead-in and the closing step."""

    def lead_in(self) -> ColourStep:
        """Return the first step: the grey relative to which the first colour is measured.

        Raises:
            LivenessPolicyError: A step was made already.
        """
        if self._shown is not None:
            raise LivenessPolicyError("the lead-in must be the first step, but another was shown already")
        return self._make(LEAD_IN, hold=self.settings.lead_in_seconds)

    def draw(self) -> ColourStep:
        """Draw the next coloured step.

        Raises:
            LivenessPolicyError: There was no lead-in yet, or the script is closed.
            RandomSourceError: The random source is faulty.
        """
        if self._shown is None:
            raise LivenessPolicyError("the lead-in must be shown before a colour is drawn")
        settings = self.settings
        colours = [colour for colour in PALETTE if colour != self._shown]
        colour = colours[draw_below(self._random, len(colours))]
        scrolls, transition_bits = False, 0.0
        if settings.scroll_one_in is not None and settings.scroll_one_in > 1:
            share = settings.scroll_one_in
            scrolls = draw_below(self._random, share) == 0
            transition_bits = bits_of_choice(share) - (0.0 if scrolls else bits_of_choice(share - 1))
        elif settings.scroll_one_in == 1:
            scrolls = True
        hold = settings.holds[draw_below(self._random, len(settings.holds))]
        hold_bits = bits_of_choice(len(settings.holds))
        return self._make(
            colour,
            hold=hold,
            scrolls=scrolls,
            bits=bits_of_choice(len(colours)) + transition_bits + hold_bits,
            transition_bits=transition_bits,
            hold_bits=hold_bits,
        )

    def close(self) -> ColourStep:
        """Return the closing step, after which the screen returns to normal and no step can be drawn.

        Raises:
            LivenessPolicyError: The script is closed already, or nothing was shown.
        """
        if self._shown is None:
            raise LivenessPolicyError("nothing was shown yet; show the lead-in before closing the script")
        return self._make(LEAD_IN, hold=SHORTEST_HOLD_SECONDS, last=True)

    def _make(
        self,
        colour: ScreenColour,
        *,
        hold: float,
        scrolls: bool = False,
        bits: float = 0.0,
        transition_bits: float = 0.0,
        hold_bits: float = 0.0,
        last: bool = False,
    ) -> ColourStep:
        if self._closed:
            raise LivenessPolicyError("the script is closed")
        step = ColourStep(
            number=self._number,
            colour=colour,
            transition=Transition.SCROLL_DOWN if scrolls else Transition.FLAT,
            transition_seconds=self.settings.scroll_seconds if scrolls else 0.0,
            hold_seconds=hold,
            bits=bits,
            last=last,
            transition_bits=transition_bits,
            hold_bits=hold_bits,
        )
        self._number += 1
        self._shown = colour
        self._closed = last
        self.coloured += bits > 0
        return step
