"""The lines of the movement challenge, by the module that uses them. ``flash_model.toml`` has the values."""

from dataclasses import dataclass

from liveness.dynamic.movement.came_closer import CameCloserSettings
from liveness.dynamic.movement.perspective import PerspectiveSettings

__all__ = ["MovementSettings"]


@dataclass(frozen=True, slots=True)
class MovementSettings:
    """All lines of the movement challenge.

    Attributes:
        perspective: The parameters of the measurement of perspective.
        came_closer: The lines for a head and for a picture.
        zoom_line: The line of the growth of the surroundings over that of the face. Its signal is reported
            and does not decide.
        steepness: The steepness of the signals' scores around their lines.
    """

    perspective: PerspectiveSettings
    came_closer: CameCloserSettings
    zoom_line: float
    steepness: float
