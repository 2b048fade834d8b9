"""Draws the ovals of the movement challenge, one at a time: a small one far off, then a large one close by.

Such a pair is an approach; a challenge has up to ``APPROACHES`` of them, as many as it takes to be sure.

What is drawn, by rejection from random bytes: of the far oval its size and its place (2 x 3 x 3), of the near
one its size and, where the frame has room, its place across (3 + 1). They lie so far apart that a person who
follows one with the usual inaccuracy does not fill another. A pair carries about 6 bits: a recorded approach
fits once in 70 scans. That is little, and meant so: what the movement challenge proves is the perspective
(``liveness.dynamic.movement.perspective``), the ovals only keep a recording from being prepared for one known
movement.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Final

from liveness.dynamic.challenge.entropy import RandomBytes, bits_of_choice, draw_below
from liveness.errors import LivenessPolicyError
from liveness.extent import FaceExtent
from liveness.guidance import Oval

__all__ = ["APPROACHES", "CHANGES", "OvalScript", "OvalStep", "distance_from"]

CHANGES: Final = 2
"""Ovals of one approach: the far one and the near one."""

APPROACHES: Final = 3
"""Most of one challenge."""

_FAR: Final = (0.56, 0.7)
_NEAR: Final = (1.12, 1.26)
"""Sizes over that of the oval at rest. From one to the other a face grows to 1.6 to 2.3 times its width.
Larger ones do not help: detectors lose faces that fill the frame."""

_ASIDE: Final = 0.11
_APART: Final = 0.08
"""Places across and down beside the middle, as shares of the frame's width and height."""

_ROOM: Final = 0.01
"""Every oval keeps this distance from the frame's border."""

_FAR_SECONDS: Final = 0.8
_NEAR_SECONDS: Final = 2.0
"""Time for the oval to get there: slow enough for the face to be followed as it grows."""

_SIZE_UNIT: Final = 0.09
_PLACE_UNIT: Final = 0.13
"""How far a willing person misses an oval: logarithm of the width, and share of the oval's width."""

_LEAST_ASIDE: Final = 1.1 * _PLACE_UNIT
"""Shares of an oval's length by which two of one size lie apart at least."""


@dataclass(frozen=True, slots=True)
class OvalStep:
    """One oval, as the device is told to draw it.

    Attributes:
        number: Of the change, from 1.
        oval: Where it goes.
        others: The ovals that might have been drawn instead.
        transition_seconds: How long the oval takes to get there.
        bits: Entropy that was drawn for it.
    """

    number: int
    oval: Oval
    others: tuple[Oval, ...]
    transition_seconds: float
    bits: float


class OvalScript:
    """The ovals of one challenge. Not safe to call from several threads at once."""

    def __init__(self, random: RandomBytes, *, rest: Oval) -> None:
        """Starts with nothing drawn.

        Args:
            random: Cryptographic random bytes.
            rest: The oval of the attempt's start; its shape is kept.

        Raises:
            LivenessPolicyError: It leaves no room for a larger and a smaller one.
        """
        self._random = random
        self._choices = (_choices(rest, _FAR, down=True), _choices(rest, _NEAR, down=False))
        self._drawn = 0
        if min(map(len, self._choices)) < 2:
            raise LivenessPolicyError("the oval at rest leaves no room for larger ones")

    @property
    def bits(self) -> float:
        """Entropy of the ovals of one approach."""
        return sum(bits_of_choice(len(choices)) for choices in self._choices)

    @property
    def left(self) -> int:
        """How many ovals may still be drawn."""
        return APPROACHES * CHANGES - self._drawn

    def draw(self) -> OvalStep:
        """The next oval, drawn now.

        Raises:
            LivenessPolicyError: All were drawn.
            RandomSourceError: The random source is broken.
        """
        if not self.left:
            raise LivenessPolicyError("all ovals were drawn")
        turn = self._drawn % CHANGES
        choices = self._choices[turn]
        chosen = draw_below(self._random, len(choices))
        self._drawn += 1
        return OvalStep(
            number=self._drawn,
            oval=choices[chosen],
            others=choices[:chosen] + choices[chosen + 1 :],
            transition_seconds=(_FAR_SECONDS, _NEAR_SECONDS)[turn],
            bits=bits_of_choice(len(choices)),
        )


def distance_from(oval: Oval, extent: FaceExtent, *, width: int, height: int) -> float:
    """How far a face is from filling an oval, in units of what a willing person misses it by.

    Args:
        oval: Where it should be.
        extent: Where the face is, frame pixels.
        width: Of the upright frame, pixels.
        height: Of the upright frame, pixels.
    """
    wide = oval.width * width
    size = math.log(extent.width / wide) / _SIZE_UNIT
    aside = (extent.x - oval.centre_x * width) / wide / _PLACE_UNIT
    apart = (extent.y - oval.centre_y * height) / wide / _PLACE_UNIT
    return math.hypot(size, aside, apart)


def _choices(rest: Oval, sizes: tuple[float, ...], *, down: bool) -> tuple[Oval, ...]:
    found: list[Oval] = []
    for size in sizes:
        width, height = size * rest.width, size * rest.height
        across = _places(rest.centre_x, width, _ASIDE)
        along = _places(rest.centre_y, height, _APART) if down else _places(rest.centre_y, height, 0.0)
        found += [Oval(x, y, width, height) for x, y in product(across, along)]
    return tuple(found)


def _places(rest: float, length: float, aside: float) -> tuple[float, ...]:
    """Centres of an oval of ``length`` on one side of the frame: the middle, and before and behind it."""
    lowest, highest = length / 2 + _ROOM, 1 - length / 2 - _ROOM
    if lowest > highest:
        return ()
    middle = min(max(rest, lowest), highest)
    reach = min(aside, middle - lowest, highest - middle)
    return (middle - reach, middle, middle + reach) if reach >= _LEAST_ASIDE * length else (middle,)
