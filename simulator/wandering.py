"""The wandering of a held or carried object: a smooth random movement in all six directions."""

import numpy as np

from simulator.geometry.relief import ReliefPose
from simulator.motion import Sway

__all__ = ["Wandering"]


class Wandering:
    """A rigid movement around rest, each direction a ``Sway`` of its own."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        rms: ReliefPose,
        lowest: float = 0.12,
        highest: float = 1.1,
    ) -> None:
        """Draws the movement.

        Args:
            rng: Source of the draws.
            rms: Root mean square of each direction.
            lowest: Lowest frequency in hertz.
            highest: Highest frequency in hertz.
        """
        self._yaw, self._pitch, self._roll, self._x, self._y, self._approach = (
            Sway(rng, rms=value, lowest=lowest, highest=highest)
            for value in (rms.yaw, rms.pitch, rms.roll, rms.shift_x, rms.shift_y, rms.approach)
        )

    def at(self, time: float) -> ReliefPose:
        """Return the movement at ``time`` seconds."""
        return ReliefPose(
            yaw=self._yaw(time),
            pitch=self._pitch(time),
            roll=self._roll(time),
            shift_x=self._x(time),
            shift_y=self._y(time),
            approach=self._approach(time),
        )
