"""The lines of the movement challenge, by the module that uses them. ``flash_model.toml`` has the values."""

from dataclasses import dataclass

from liveness.dynamic.movement.came_closer import CameCloserSettings
from liveness.dynamic.movement.perspective import PerspectiveSettings

__all__ = ["MovementSettings"]


@dataclass(frozen=True, slots=True)
class MovementSettings:
    """The settings of the movement challenge. A *line* is the measurement at which a signal scores 0.5.

    Attributes:
        perspective: The parameters of the measurement of perspective.
        came_closer: The lines for a head and for a picture that came closer.
        zoom_line: The line of the ratio of two growths: that of the surroundings over that of the face. A
            result lists its signal, which decides nothing.
        steepness: The slope of the signals' scores at their lines.
    """

    perspective: PerspectiveSettings
    came_closer: CameCloserSettings
    zoom_line: float
    steepness: float
