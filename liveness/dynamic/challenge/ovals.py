"""Draws the ovals of the movement challenge, one at a time: a small far one, then a large near one.

Such a pair is an approach. A challenge has as many approaches as it needs to be sure, up to ``APPROACHES``.

The draws use rejection from random bytes: the size and the place of the far oval (2 x 3 x 3 choices), and the
size of the near oval and, if the field has room, its place across (3 + 1). The choices differ so much that a
person who follows one with the usual inaccuracy does not fill another. A pair carries about 6 bits: a
recorded approach fits once in 70 scans. More is not needed, because the movement challenge proves the
perspective (``liveness.dynamic.movement.perspective``). The ovals only prevent that a recording is prepared
for one known movement.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Final

from liveness.dynamic.challenge.script import RandomBytes, bits_of_choice, draw_below
from liveness.errors import LivenessPolicyError
from liveness.extent import FaceExtent
from liveness.guidance import Oval

CHANGES: Final = 2
"""The number of ovals of one approach: the far one and the near one."""

APPROACHES: Final = 3
"""The most approaches of one challenge."""

_FAR: Final = (0.56, 0.7)
_NEAR: Final = (1.12, 1.26)
"""Sizes relative to the oval at rest. From far to near a face grows to 1.6 to 2.3 times its width. Larger
ovals do not help, because detectors lose faces that fill the frame."""

_ASIDE: Final = 0.11
_APART: Final = 0.08
"""The distances of the outer places from the middle, across and down, as shares of the field's width and
height."""

_ROOM: Final = 0.01
"""The least distance of an oval from the field's border, as a share of the field's width or height."""

_FAR_SECONDS: Final = 0.8
_NEAR_SECONDS: Final = 2.0
"""The duration of an oval's movement, seconds: slow enough to follow the face as it grows."""

_SIZE_UNIT: Final = 0.09
_PLACE_UNIT: Final = 0.13
"""How far a cooperative person misses an oval: in the logarithm of the width, and as a share of the oval's
width."""

_LEAST_ASIDE: Final = 1.1 * _PLACE_UNIT
"""The least distance between two ovals of one size, as a share of their length."""


@dataclass(frozen=True, slots=True)
class OvalStep:
    """One oval that the device shows.

    Attributes:
        number: The number of the change, from 1.
        oval: The oval's new place and size.
        others: The ovals that could have been drawn instead.
        transition_seconds: The duration of the change, seconds.
        bits: The entropy of the draw.
    """

    number: int
    oval: Oval
    others: tuple[Oval, ...]
    transition_seconds: float
    bits: float


class OvalScript:
    """The ovals of one challenge. Not safe to call from several threads at once."""

    def __init__(self, random: RandomBytes, *, rest: Oval) -> None:
        """Start with nothing drawn.

        Args:
            random: Cryptographic random bytes.
            rest: The oval at the attempt's start; all ovals have its shape.

        Raises:
            LivenessPolicyError: It leaves no room for a larger and a smaller oval.
        """
        self._random = random
        self._choices = (_choices(rest, _FAR, down=True), _choices(rest, _NEAR, down=False))
        self._drawn = 0
        if min(map(len, self._choices)) < 2:
            raise LivenessPolicyError("the oval at rest leaves no room for larger ones")

    @property
    def bits(self) -> float:
        """The entropy of the ovals of one approach."""
        return sum(bits_of_choice(len(choices)) for choices in self._choices)

    @property
    def left(self) -> int:
        """The number of ovals that may still be drawn."""
        return APPROACHES * CHANGES - self._drawn

    def draw(self) -> OvalStep:
        """Draw the next oval.

        Raises:
            LivenessPolicyError: All ovals were drawn.
            RandomSourceError: The random source is faulty.
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
    """Return how far a face is from filling an oval, in units of a cooperative person's typical miss.

    Args:
        extent: The extent of the face, frame pixels.
        width: The width of the upright frame, pixels.
        height: The height of the upright frame, pixels.
    """
    placed = oval.placed(width=width, height=height)
    size = math.log(extent.width / placed.width) / _SIZE_UNIT
    aside = (extent.x - placed.x) / placed.width / _PLACE_UNIT
    apart = (extent.y - placed.y) / placed.width / _PLACE_UNIT
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
    """Return the possible centres of an oval along one side of the field: the middle, and beside it."""
    lowest, highest = length / 2 + _ROOM, 1 - length / 2 - _ROOM
    if lowest > highest:
        return ()
    middle = min(max(rest, lowest), highest)
    reach = min(aside, middle - lowest, highest - middle)
    return (middle - reach, middle, middle + reach) if reach >= _LEAST_ASIDE * length else (middle,)
