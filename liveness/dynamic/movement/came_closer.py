"""What came closer, a head or a picture, and whether enough was seen to say so.

What this cannot tell: a rigid mask has a head's relief and perspective; so has a live video that somebody
renders in three dimensions. Those are left to Express' signals and to the device.
"""

from dataclasses import dataclass
from enum import Enum, auto

from liveness.dynamic.movement.perspective import PerspectiveFinding

__all__ = ["ApproachKind", "CameCloser", "CameCloserSettings", "what_came_closer"]


@dataclass(frozen=True, slots=True)
class CameCloserSettings:
    """Where a head begins, and where a picture does.

    Attributes:
        clear: ``clarity`` from which there is a relief at all. Of the noise of planes less than half is
            explained.
        curved: Share of a relief that is curved two ways. 0.3 to 0.7 for heads; of bent paper, what errors
            make of it.
        curved_clear: That part over what errors make of it: errors alone reach 1 to 2, three times is beyond
            them.
        depth: Of a head's perspective that must be there for sure: heads and lenses differ by a factor of
            two.
        sure: Standard errors by which the perspective must be above its line, or below the one for none.
        blame_growth: Growth of the face below which nobody is blamed: too little perspective.
        no_relief: ``clarity`` up to which there is none, where a head that holds quite still would show
            ``expected``.
        expected: See ``no_relief``.
        not_curved: Share of a relief, curved two ways, up to which it is a bent sheet's.
        no_depth: Of a head's perspective, for sure, up to which there is none.
    """

    clear: float
    curved: float
    curved_clear: float
    depth: float
    sure: float
    blame_growth: float
    no_relief: float
    expected: float
    not_curved: float
    no_depth: float


class ApproachKind(Enum):
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

    kind: ApproachKind
    detail: str


def what_came_closer(seen: PerspectiveFinding | None, lines: CameCloserSettings) -> CameCloser:
    """Tell a head from a picture.

    Args:
        seen: Of one approach, or of several together; ``None`` where nothing could be measured.
        lines: Where a head begins, and where a picture does.
    """
    if seen is None:
        return CameCloser(
            ApproachKind.UNSURE, "The face could not be followed from the far oval to the near one."
        )
    if _is_head(seen, lines):
        return CameCloser(
            ApproachKind.HEAD, "It has the relief of a head, which came closer as a head's does."
        )
    picture = _as_picture(seen, lines)
    if picture is not None and seen.growth >= lines.blame_growth:
        return CameCloser(ApproachKind.PICTURE, picture)
    return CameCloser(ApproachKind.UNSURE, "Too little was seen to tell a head from a picture.")


def _is_head(seen: PerspectiveFinding, lines: CameCloserSettings) -> bool:
    relief = seen.clarity >= lines.clear
    curved = seen.curved >= lines.curved and seen.curved_clarity >= lines.curved_clear
    return relief and curved and seen.depth - lines.sure * seen.error >= lines.depth


def _as_picture(seen: PerspectiveFinding, lines: CameCloserSettings) -> str | None:
    """What kind of picture it was, where that is sure."""
    if seen.clarity <= lines.no_relief:
        flat = seen.expected >= lines.expected
        return "It grew as a flat picture does." if flat else None
    if seen.clarity < lines.clear:
        return None
    if seen.curved <= lines.not_curved and seen.curved_clarity < lines.curved_clear:
        return "It is curved round one axis only, as a bent sheet is."
    if seen.depth + lines.sure * seen.error <= lines.no_depth:
        return "It turns as a head does, but grew as a flat picture does: a video that is brought closer."
    return None
