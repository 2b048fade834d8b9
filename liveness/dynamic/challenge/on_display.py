"""Keeps the step on display, when it appeared, and for how long it was held."""

import math
from dataclasses import dataclass
from typing import Final

from liveness.dynamic.challenge.steps import ColourStep, RevealedStep
from liveness.errors import ObservationError

_HELD_FRAMES: Final = 2
"""The number of frames after the hold from which on a step counts as held."""
_CLOSING_PATIENCE_SECONDS: Final = 0.5
"""The longest wait, after the closing step's time, for a frame that shows it held, seconds. It covers a slow
phone's display and camera, the network both ways and the time to the next frame."""


@dataclass(frozen=True, slots=True)
class DisplayClaim:
    """A device's claim about the step on display when it captured a frame.

    Attributes:
        step: The number of the step, 0 for none.
        since: The time at which it actually appeared, seconds on the capture's clock; ``None`` if no step is
            claimed.
        capture_time: The capture time of the frame, seconds on the same clock.
        arrival_time: The arrival time of the frame, seconds on the server's monotonic clock.
    """

    step: int
    since: float | None
    capture_time: float
    arrival_time: float


@dataclass(slots=True)
class StepOnDisplay:
    """One step from its reveal to the next.

    Attributes:
        step: The step.
        at: When it was sent, seconds on the server's clock; when it was drawn, until ``Display.note_sent``.
        earliest: The capture time of the last frame that had arrived by then, seconds on the device's clock.
            The step cannot have appeared before.
        held: The number of frames that show that the step was held; ``update`` counts them.
        held_at: The arrival time of the frame that completed the required number of these, seconds on the
            server's clock; ``None`` before.
        away: Whether the face was away, or the capture paused, while the step was on display.
    """

    step: ColourStep
    at: float
    earliest: float
    held: int = 0
    held_at: float | None = None
    away: bool = False

    @property
    def lasts(self) -> float:
        """The duration of the step, seconds: transition and hold."""
        return self.step.transition_seconds + self.step.hold_seconds

    @property
    def nearly_held(self) -> bool:
        """Whether the step will have been held with one more frame."""
        return self.held >= _HELD_FRAMES - 1

    @property
    def closed_at(self) -> float:
        """When a closing step ends, seconds on the server's clock, according to the frames so far.

        It ends as soon as one frame shows that it was held, because it is not measured. Frames may fail to
        arrive, so the wait is limited.
        """
        least = self.at + self.lasts
        return least if self.held else least + _CLOSING_PATIENCE_SECONDS

    def update(self, claim: DisplayClaim, *, at: float) -> None:
        """Adds the next frame's claim, which arrived at ``at`` on the server's clock."""
        if claim.arrival_time <= self.at:
            # It had arrived when the step was sent, and waited to be processed.
            self.earliest = max(self.earliest, claim.capture_time)
        if not self.holds(claim):
            return
        self.held += 1
        if self.held == _HELD_FRAMES:
            self.held_at = at

    def holds(self, claim: DisplayClaim) -> bool:
        """Returns whether a frame claims to show the step a whole hold after it appeared."""
        if claim.step != self.step.number or claim.since is None:
            return False
        # The step cannot have appeared before the frames that arrived before it was sent.
        return claim.capture_time >= max(claim.since, self.earliest) + self.lasts


class Display:
    """The server's knowledge of the device's screen: the step on display, and all earlier steps."""

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
        """All steps so far, in order."""
        return tuple(self._history)

    @property
    def closing(self) -> bool:
        """Whether the closing step is on display."""
        return self._current is not None and self._current.step.last

    @property
    def passed(self) -> int:
        """The number of coloured steps that were shown for their whole duration."""
        return self._passed

    def show(self, step: ColourStep, *, now: float) -> None:
        """Records a step that was drawn at ``now``, seconds on the server's monotonic clock."""
        self._current = StepOnDisplay(step, at=now, earliest=self._latest_capture)
        self._history.append(RevealedStep(step, now))

    def note_sent(self, at: float) -> None:
        """Records when the step drawn last was sent, which is not before it was drawn.

        Raises:
            ObservationError: No step was drawn.
        """
        if self._current is None:
            raise ObservationError("no step was drawn, so none can have been sent")
        self._current.at = max(self._current.at, at)
        self._history[-1] = RevealedStep(self._current.step, self._current.at)

    def update(self, claim: DisplayClaim, *, at: float) -> None:
        """Adds the next frame's claim, which arrived at ``at`` on the server's clock."""
        if self._current is not None:
            self._current.update(claim, at=at)
        self._latest_capture = max(self._latest_capture, claim.capture_time)

    def let_pass(self) -> None:
        """Records that the step on display was shown for its whole duration."""
        self._passed = sum(one.step.bits > 0 for one in self._history)
