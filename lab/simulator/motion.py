"""Movement over time: slow sway, hand tremor, blinks and held movements as smooth functions of the time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TONES = 6


class Sway:
    """A smooth random movement: a sum of sine waves with random phases, whose RMS is ``rms``.

    Postural sway and the drift of a held phone have a spectrum that falls with frequency; the tones'
    amplitudes fall as 1 / frequency.
    """

    def __init__(
        self, rng: np.random.Generator, *, rms: float, lowest: float = 0.12, highest: float = 1.1
    ) -> None:
        """Draw the tones.

        Args:
            rms: Root mean square of the movement, in the movement's own unit.
            lowest: Lowest frequency in hertz.
            highest: Highest frequency in hertz.
        """
        edges = np.geomspace(lowest, highest, _TONES + 1)
        self._frequencies: NDArray[np.float64] = rng.uniform(edges[:-1], edges[1:])
        self._phases: NDArray[np.float64] = rng.uniform(0, 2 * np.pi, _TONES)
        weights = 1 / self._frequencies
        self._amplitudes: NDArray[np.float64] = rms * np.sqrt(2) * weights / np.linalg.norm(weights)

    def __call__(self, time: float) -> float:
        """Return the movement at ``time`` seconds."""
        tones = np.sin(2 * np.pi * self._frequencies * time + self._phases)
        return float(self._amplitudes @ tones)


class Tremor:
    """The tremor of the hand that holds the camera: tones between 3 and 9 Hz in both directions.

    Band after Elble and Koller 1990, "Tremor".
    """

    def __init__(self, rng: np.random.Generator, *, rms: float) -> None:
        """Draw the tones.

        Args:
            rms: Root mean square in each direction, pixels.
        """
        self._x = Sway(rng, rms=rms, lowest=3.0, highest=9.0)
        self._y = Sway(rng, rms=rms, lowest=3.0, highest=9.0)

    def __call__(self, time: float) -> tuple[float, float]:
        """Return the movement of the whole image at ``time`` seconds, x and y in pixels."""
        return self._x(time), self._y(time)


@dataclass(frozen=True, slots=True)
class BlinkMotion:
    """One blink.

    Attributes:
        start: Time at which the lids begin to close, seconds.
        closing: Time in which they close, seconds.
        closed: Time for which they stay closed, seconds.
        opening: Time in which they open, seconds.
        depth: How far they close, 0..1.
    """

    start: float
    closing: float
    closed: float
    opening: float
    depth: float

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        *,
        start: float,
        depth: float,
        closed: tuple[float, float] = (0.02, 0.06),
    ) -> "BlinkMotion":
        """Draw a blink: 70-100 ms closing, 110-180 ms opening.

        Args:
            start: See the attribute.
            depth: Largest depth; a blink can be up to a tenth less deep.
            closed: Shortest and longest time for which the lids stay closed, seconds.
        """
        return cls(
            start=start,
            closing=float(rng.uniform(0.07, 0.10)),
            closed=float(rng.uniform(*closed)),
            opening=float(rng.uniform(0.11, 0.18)),
            depth=depth * float(rng.uniform(0.9, 1.0)),
        )

    def closure(self, time: float) -> float:
        """Return how far the lids are closed at ``time`` seconds, 0..1."""
        return self.depth * _held(time - self.start, self.closing, self.closed, self.opening)


@dataclass(frozen=True, slots=True)
class HeldMotion:
    """One movement on request that is held for a moment: an opened mouth, or a turn of the head to a side.

    Attributes:
        start: Time at which it begins, seconds.
        rising: Time in which it reaches its extent, seconds.
        held: Time for which it is held, seconds.
        falling: Time in which it goes back, seconds.
        extent: How far it goes, in its own unit.
    """

    start: float
    rising: float
    held: float
    falling: float
    extent: float

    @property
    def end(self) -> float:
        """Time at which it is over, seconds."""
        return self.start + self.rising + self.held + self.falling

    def at(self, time: float) -> float:
        """Return how far the movement is at ``time`` seconds, 0 to ``extent``."""
        return self.extent * _held(time - self.start, self.rising, self.held, self.falling)


class Blinks:
    """Spontaneous blinks: 70-100 ms closing, briefly closed, 110-180 ms opening.

    Durations after VanderWerf et al. 2003, "Eyelid movements: behavioral studies of blinking in
    humans under different stimulus conditions" (J. Neurophysiol. 89).
    """

    def __init__(self, rng: np.random.Generator, *, seconds: float, longest_gap: float, depth: float) -> None:
        """Draw the blinks of a scan of ``seconds``; the first one starts early enough to end in it."""
        blinks = []
        time = float(rng.uniform(0.3, max(0.35, min(longest_gap, seconds - 0.5))))
        while time < seconds:
            blinks.append(BlinkMotion.draw(rng, start=time, depth=depth))
            time += float(rng.uniform(0.9, max(1.0, longest_gap)))
        self._blinks = tuple(blinks)

    def closure(self, time: float) -> float:
        """Return how far the lids are closed at ``time`` seconds, 0 (open) to 1."""
        return max((blink.closure(time) for blink in self._blinks), default=0.0)


def _held(since: float, rising: float, held: float, falling: float) -> float:
    """Return a movement to 1 and back at ``since`` seconds after its start."""
    if since <= 0 or since >= rising + held + falling:
        return 0.0
    if since < rising:
        return _ease(since / rising)
    if since < rising + held:
        return 1.0
    return _ease(1 - (since - rising - held) / falling)


def _ease(share: float) -> float:
    return share * share * (3 - 2 * share)
