"""What came closer, a head or a picture, and whether enough was seen to say so.

What this cannot tell: a rigid mask has a head's relief and perspective; so has a live video that somebody
renders in three dimensions. Those are left to Express' signals and to the device.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from liveness.dynamic.movement.perspective import PerspectiveFinding

__all__ = ["CLEAR", "CURVED", "CURVED_CLEAR", "DEPTH", "SURE", "CameCloser", "Kind", "what_came_closer"]

CLEAR: Final = 1.5
"""``clarity`` from which there is a relief at all. Of the noise of planes less than half is explained."""

CURVED: Final = 0.3
"""Share of a relief that is curved two ways. 0.3 to 0.7 for heads; of bent paper, what errors make of it."""
CURVED_CLEAR: Final = 3.0
"""That part over what errors make of it: errors alone reach 1 to 2, three times is beyond them."""

DEPTH: Final = 0.5
"""Of a head's perspective that must be there for sure: heads and lenses differ by a factor of two."""
SURE: Final = 2.0
"""Standard errors by which the perspective must be above its line, or below the one for none."""

_BLAME_GROWTH: Final = 1.4
"""Growth of the face below which nobody is blamed: too little perspective."""
_NO_RELIEF: Final = 0.85
"""``clarity`` up to which there is none, where a head that holds quite still would show ``_EXPECTED``."""
_EXPECTED: Final = 1.2
_NOT_CURVED: Final = 0.2
_NO_DEPTH: Final = 0.25


class Kind(Enum):
    """What came closer."""

    HEAD = auto()
    PICTURE = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class CameCloser:
    """What came closer.

    Attributes:
        kind: What.
        detail: Why, in plain words.
    """

    kind: Kind
    detail: str


def what_came_closer(seen: PerspectiveFinding | None) -> CameCloser:
    """Tell a head from a picture.

    Args:
        seen: Of one approach, or of several together; ``None`` where nothing could be measured.
    """
    if seen is None:
        return CameCloser(Kind.UNSURE, "The face could not be followed from the far oval to the near one.")
    if _is_head(seen):
        return CameCloser(Kind.HEAD, "It has the relief of a head, which came closer as a head's does.")
    picture = _as_picture(seen)
    if picture is not None and seen.growth >= _BLAME_GROWTH:
        return CameCloser(Kind.PICTURE, picture)
    return CameCloser(Kind.UNSURE, "Too little was seen to tell a head from a picture.")


def _is_head(seen: PerspectiveFinding) -> bool:
    relief = seen.clarity >= CLEAR
    curved = seen.curved >= CURVED and seen.curved_clarity >= CURVED_CLEAR
    return relief and curved and seen.depth - SURE * seen.error >= DEPTH


def _as_picture(seen: PerspectiveFinding) -> str | None:
    """What kind of picture it was, where that is sure."""
    if seen.clarity <= _NO_RELIEF:
        flat = seen.expected >= _EXPECTED
        return "It grew as a flat picture does." if flat else None
    if seen.clarity < CLEAR:
        return None
    if seen.curved <= _NOT_CURVED and seen.curved_clarity < CURVED_CLEAR:
        return "It is curved round one axis only, as a bent sheet is."
    if seen.depth + SURE * seen.error <= _NO_DEPTH:
        return "It turns as a head does, but grew as a flat picture does: a video that is brought closer."
    return None
