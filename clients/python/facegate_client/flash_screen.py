"""A screen, real or simulated, and how an attempt shows its colours on it, each for as long as demanded."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration

from facegate_client.errors import ProtocolViolatedError


@dataclass(frozen=True, slots=True)
class DisplayedStep:
    """The flash step on the screen at one moment.

    Attributes:
        number: Number of the flash step; 0 for none.
        since_us: When it appeared on the display, microseconds of the capture clock; 0 for none.
    """

    number: int = 0
    since_us: int = 0


class FlashScreen(Protocol):
    """A screen that can be filled with a colour, and reports when the colour appeared.

    The scanner decides when each colour is shown and keeps it for as long as the protocol demands; the screen
    only shows it. All methods return at once and are called in the event loop.
    """

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The screen's profile for ScanStart."""
        ...

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """Further capabilities beside CAPABILITY_FLASH.

        CAPABILITY_FLASH_SCROLL, CAPABILITY_OVAL_CHANGE; CAPABILITY_OPEN_MOUTH and CAPABILITY_TURN_HEAD if a
        person reads the hints.
        """
        ...

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Replace the shown colour by that of a step, now."""
        ...

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Move the oval, over the change's transition."""
        ...

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Show the person the state of the capture and a hint, during colours beside them."""
        ...

    def restore(self) -> None:
        """Return the screen to normal. Safe to call if it is normal already."""
        ...

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Return the flash step that was on the screen when an image was captured.

        Args:
            capture_time_us: The image's capture time, microseconds of the capture clock.
        """
        ...


SHORTEST_HOLD_S = 0.35
"""The shortest time of a colour, seconds. It holds for every server: at most 3 changes per second."""

_LONGEST_TRANSITION_S = 1.0
_MOST_WAITING = 2


class FlashShow:
    """One attempt's colours, ovals and hints on a screen. Belongs to one event loop."""

    def __init__(self, screen: FlashScreen) -> None:
        self.screen = screen
        self._waiting: deque[scan_pb2.FlashStep] = deque()
        self._last = 0
        self._shown = 0
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, step: scan_pb2.FlashStep) -> None:
        """Show a step, now or as soon as the step before it was held for long enough.

        Raises:
            ProtocolViolatedError: The steps are out of order, or come faster than they can be shown.
        """
        if step.step <= self._last:
            raise ProtocolViolatedError(f"flash step {step.step} came after step {self._last}")
        if len(self._waiting) >= _MOST_WAITING:
            raise ProtocolViolatedError("flash steps come faster than they can be shown")
        self._last = step.step
        self._waiting.append(step)
        if self._timer is None:
            self._show_due()

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Return this attempt's flash step that was on the screen when an image was captured."""
        shown = self.screen.displayed(capture_time_us)
        # After a reconnect, the first image may show the last colour of the attempt that was lost.
        return shown if shown.number <= self._shown else DisplayedStep()

    def close(self) -> None:
        """End the attempt: the screen returns to normal."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.screen.restore()

    def _show_due(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if not self._waiting:
            return
        if loop.time() < self._free_at:
            self._timer = loop.call_at(self._free_at, self._show_due)
            return
        step = self._waiting.popleft()
        transition = min(seconds_of(step.transition_duration), _LONGEST_TRANSITION_S)
        self._free_at = loop.time() + transition + max(SHORTEST_HOLD_S, seconds_of(step.minimum_hold))
        self._shown = step.step
        self.screen.show_step(step)
        self._show_due()


def seconds_of(duration: Duration) -> float:
    """Return a duration in seconds."""
    return duration.seconds + duration.nanos / 1e9
