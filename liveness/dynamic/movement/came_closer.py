"""Decides whether a head or a picture came closer, or whether the measurements do not suffice.

This cannot detect a rigid mask, or a live video that is rendered in three dimensions: both have a head's
relief and perspective. Express' signals and the device tests address them.
"""

from dataclasses import dataclass
from enum import Enum, auto

from liveness.dynamic.movement.perspective import PerspectiveFinding

__all__ = ["ApproachKind", "CameCloser", "CameCloserSettings", "classify_approach"]


@dataclass(frozen=True, slots=True)
class CameCloserSettings:
    """The lines for a head and for a picture. They apply to the measurements of ``PerspectiveFinding``.

    Attributes:
        clear: The ``clarity`` from which there is a relief. On planes, a fitted relief explains less than
            half of the noise.
        curved: The least ``curved`` of a head. Heads have 0.3 to 0.7; bent paper has only the share that
            errors cause.
        curved_clear: The least ``curved_clarity`` of a head. Errors alone reach 1 to 2; three is beyond them.
        depth: The least ``depth`` of a head, beyond its errors (``sure``). Heads and lenses differ by a
            factor of two.
        sure: The number of standard errors by which a measured depth must exceed ``depth`` or stay below
            ``no_depth``.
        blame_growth: The growth of the face below which the finding is never a picture, because perspective
            is too small.
        no_relief: The ``clarity`` up to which there is no relief, if a head that does not turn would show at
            least ``expected``.
        expected: See ``no_relief``.
        not_curved: The ``curved`` up to which the relief is that of a bent sheet.
        no_depth: The ``depth`` up to which, beyond its errors (``sure``), there is no perspective.
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
    """The kind of object that came closer."""

    HEAD = auto()
    PICTURE = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class CameCloser:
    """The object that came closer.

    Attributes:
        kind: The kind of object.
        detail: The reason, in plain words.
    """

    kind: ApproachKind
    detail: str


def classify_approach(seen: PerspectiveFinding | None, lines: CameCloserSettings) -> CameCloser:
    """Classifies the object that came closer as a head or a flat picture, or as unsure.

    Args:
        seen: The finding of one approach, or of several together; ``None`` if none could be measured.
        lines: The lines for a head and for a picture.
    """
    if seen is None:
        return CameCloser(
            ApproachKind.UNSURE, "The face could not be followed from the far oval to the near one."
        )
    if _is_head(seen, lines):
        return CameCloser(
            ApproachKind.HEAD, "The face has the relief of a head, and came closer as a head does."
        )
    picture = _as_picture(seen, lines)
    if picture is not None and seen.growth >= lines.blame_growth:
        return CameCloser(ApproachKind.PICTURE, picture)
    return CameCloser(ApproachKind.UNSURE, "Too little was measured to distinguish a head from a picture.")


def _is_head(seen: PerspectiveFinding, lines: CameCloserSettings) -> bool:
    relief = seen.clarity >= lines.clear
    curved = seen.curved >= lines.curved and seen.curved_clarity >= lines.curved_clear
    return relief and curved and seen.depth - lines.sure * seen.error >= lines.depth


def _as_picture(seen: PerspectiveFinding, lines: CameCloserSettings) -> str | None:
    """Returns why it is a picture; ``None`` if that is not certain."""
    if seen.clarity <= lines.no_relief:
        flat = seen.expected >= lines.expected
        return "The face grew as a flat picture does." if flat else None
    if seen.clarity < lines.clear:
        return None
    if seen.curved <= lines.not_curved and seen.curved_clarity < lines.curved_clear:
        return "The face is curved round one axis only, as a bent sheet is."
    if seen.depth + lines.sure * seen.error <= lines.no_depth:
        return "The face turns as a head does, but grew as a flat picture: a video that is brought closer."
    return None
