"""A screen whose upper and lower parts show two colours, at a border that moves from step to step."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator import PhoneSettings, ScreenLight

__all__ = ["HalvedScreen", "HalvedStep", "draw_steps"]

_LOW: Final = 0.15
_PAIRS: Final = (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
"""The channels that are high in one part and low in the other; complementary colours differ most."""
_BORDERS: Final = (2, 3)
"""The bands above the border, of five."""


@dataclass(frozen=True, slots=True)
class HalvedStep:
    """One step.

    Attributes:
        at: The time at which the app receives the colour, seconds.
        channel: The channel that is high in one part of the screen, blue 0 to red 2; both others are high in
            the other part.
        above: Whether that part is the upper one.
        border: The number of bands above the border.
    """

    at: float
    channel: int
    above: bool
    border: int

    def light(self, bands: int) -> NDArray[np.float64]:
        """Return the linear light of the bands, top to bottom, shape (bands, 3), blue-green-red."""
        mask = _PAIRS[self.channel]
        ours, others = _LOW + (1 - _LOW) * mask, _LOW + (1 - _LOW) * (1 - mask)
        upper, lower = (ours, others) if self.above else (others, ours)
        return np.where(np.arange(bands)[:, None] < self.border, upper, lower)


def draw_steps(rng: np.random.Generator, *, count: int, first: float, hold: float) -> tuple[HalvedStep, ...]:
    """Draw the steps of one scan: channel, part and border, each equally likely.

    Args:
        rng: Draws them.
        count: Their number.
        first: When the first one is shown, seconds.
        hold: How long each stays, seconds.
    """
    return tuple(
        HalvedStep(
            first + hold * number, int(rng.integers(3)), bool(rng.integers(2)), int(rng.choice(_BORDERS))
        )
        for number in range(count)
    )


class HalvedScreen(ScreenLight):
    """A screen that shows such steps, late as a phone's display is."""

    def __init__(self, settings: PhoneSettings, steps: tuple[HalvedStep, ...], *, late: float) -> None:
        """Plans the steps.

        Args:
            settings: The phone.
            steps: The steps, in order.
            late: From the instruction to the light, seconds.
        """
        super().__init__(settings)
        self._steps = steps
        self._late = late

    def bands(self, times: NDArray[np.float64], *, bands: int) -> NDArray[np.float64]:
        """See ``ScreenLight.bands``."""
        return self._at(times - self._late, bands)

    def undelayed_bands(self, times: NDArray[np.float64], *, bands: int) -> NDArray[np.float64]:
        """See ``ScreenLight.undelayed_bands``."""
        return self._at(times, bands)

    def _at(self, times: NDArray[np.float64], bands: int) -> NDArray[np.float64]:
        lit = self.settings.luminance * self.settings.coverage
        idle = self.idle_bands(bands=bands)
        planned = np.stack([idle, *(step.light(bands) * lit for step in self._steps)])
        return planned[np.searchsorted([step.at for step in self._steps], times, side="right")]
