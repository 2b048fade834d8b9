"""What is on display: which step, since when, and how long it was held."""

import math
from dataclasses import dataclass
from typing import Final

from liveness.dynamic.challenge.steps import ColourStep, RevealedStep

__all__ = ["Display", "DisplayClaim", "StepOnDisplay"]

_HELD_FRAMES: Final = 2
"""Frames that must have arrived of a step that was held."""
_CLOSING_PATIENCE_SECONDS: Final = 0.5
"""How much longer than it lasts the closing step waits for a frame that holds it: a slow phone's display and
camera, the network both ways and the time to the next frame."""


@dataclass(frozen=True, slots=True)
class DisplayClaim:
    """What a device says that was on display as it captured a frame.

    Attributes:
        step: The step's number, 0 for none.
        since: When it really appeared, seconds of the capture's clock; ``None`` where no step is claimed.
        capture_time: When the frame was captured, seconds of the same clock.
        arrival_time: When it arrived, seconds of the server's monotonic clock.
    """

    step: int
    since: float | None
    capture_time: float
    arrival_time: float


@dataclass(slots=True)
class StepOnDisplay:
    """One step from its reveal to the next.

    Attributes:
        step: What it is.
        at: When it was revealed, seconds of the server's clock.
        earliest: Device time, seconds, of the last frame that had arrived by then: it cannot have appeared
            before.
        held: Frames that arrived of it after it was held; ``see`` counts them.
        held_at: When the last needed of them arrived, seconds of the server's clock; ``None`` before.
        away: Whether the face was away, or the capture paused, while it was on display.
    """

    step: ColourStep
    at: float
    earliest: float
    held: int = 0
    held_at: float | None = None
    away: bool = False

    @property
    def lasts(self) -> float:
        """Seconds that it has to be shown: transition and hold."""
        return self.step.transition_seconds + self.step.hold_seconds

    @property
    def nearly_held(self) -> bool:
        """Whether one more frame that holds it is enough."""
        return self.held >= _HELD_FRAMES - 1

    @property
    def closed_at(self) -> float:
        """When a closing step is over, on the server's clock, by the frames so far.

        As soon as one says that it was held: nothing is measured of it. Frames may fail to come, so it does
        not wait for one for ever.
        """
        least = self.at + self.lasts
        return least if self.held else least + _CLOSING_PATIENCE_SECONDS

    def see(self, claim: DisplayClaim, *, at: float) -> None:
        """Take the next frame's claim, which arrived ``at`` on the server's clock."""
        if not self.holds(claim):
            return
        self.held += 1
        if self.held == _HELD_FRAMES:
            self.held_at = at

    def holds(self, claim: DisplayClaim) -> bool:
        """Whether a frame claims to show the step a whole hold after it appeared."""
        if claim.step != self.step.number or claim.since is None:
            return False
        # Whatever is claimed, it cannot have appeared before frames that arrived before it was sent.
        return claim.capture_time >= max(claim.since, self.earliest) + self.lasts


class Display:
    """The device's screen, as far as the server knows it: the step on it, and all that were."""

    def __init__(self) -> None:
        """Starts with nothing shown."""
        self._current: StepOnDisplay | None = None
        self._history: list[RevealedStep] = []
        self._latest_capture = -math.inf
        self._passed = 0

    @property
    def current(self) -> StepOnDisplay | None:
        """The step on display; ``None`` before the first."""
        return self._current

    @property
    def revealed(self) -> tuple[RevealedStep, ...]:
        """Every step so far, in order."""
        return tuple(self._history)

    @property
    def closing(self) -> bool:
        """Whether the closing step is on display."""
        return self._current is not None and self._current.step.last

    @property
    def passed(self) -> int:
        """Coloured steps that were shown for as long as they had to be."""
        return self._passed

    def show(self, step: ColourStep, *, now: float) -> None:
        """Show a step at ``now``, seconds of the server's monotonic clock."""
        self._current = StepOnDisplay(step, at=now, earliest=self._latest_capture)
        self._history.append(RevealedStep(step, now))

    def see(self, claim: DisplayClaim, *, at: float) -> None:
        """Take the next frame's claim, which arrived ``at`` on the server's clock."""
        if self._current is not None:
            self._current.see(claim, at=at)
        self._latest_capture = max(self._latest_capture, claim.capture_time)

    def let_pass(self) -> None:
        """The step on display was shown for as long as it had to be."""
        self._passed = sum(one.step.bits > 0 for one in self._history)
