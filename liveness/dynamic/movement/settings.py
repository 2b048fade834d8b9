"""The lines of the movement challenge, by who goes by them; their numbers are in ``flash_model.toml``."""

from dataclasses import dataclass

from liveness.dynamic.movement.came_closer import CameCloserSettings
from liveness.dynamic.movement.perspective import PerspectiveSettings

__all__ = ["MovementSettings"]


@dataclass(frozen=True, slots=True)
class MovementSettings:
    """All lines of the movement challenge.

    Attributes:
        perspective: How it is measured.
        came_closer: What tells a head from a picture.
        zoom_line: Of the signal that the room stays behind: growth of the surroundings over the face's. It
            is told and decides nothing.
        steepness: Of the signals' scores around their lines.
    """

    perspective: PerspectiveSettings
    came_closer: CameCloserSettings
    zoom_line: float
    steepness: float
