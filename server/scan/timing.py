"""An attempt in time: its limits, the rate of its frames, and whose fault it is if they come slowly."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from attempt import CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW, SERVER_BUSY, AttemptCapture
from server.base.errors import Reason, Refusal
from server.scan.endings import ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import CreditLedger

_RATE_AFTER_SECONDS = 2.0
"""The time from which on the rate of an attempt's frames is judged."""
_BUSY_AFTER_SECONDS = 1.0
_BUSY_SHARE = 0.5
"""The share of an attempt without credit from which on few or late frames are the server's own fault."""
_LEAST_MEASURED_SHARE = 0.5
"""The lowest rate of measured frames, as a share of the lowest frame rate; evenly spaced frames have 0.85."""


class AttemptClocks:
    """Measures one attempt against its time limits. Times are seconds of the server's monotonic clock.

    Attributes:
        last_activity: When the device last sent something that the server has processed.
        completed: When the device was notified that the capture is complete; ``None`` before.
    """

    def __init__(self, env: ScanEnvironment, stream: OpenStream) -> None:
        """Start the clocks of an attempt."""
        self._clock = env.clock
        self._end_seconds = env.limits.end_seconds
        self._seconds = stream.budget.max_attempt_seconds
        self._idle_seconds = stream.policy.deadlines.idle_seconds
        self._deadline = stream.record.scan_deadline
        self.completed: float | None = None
        self.begin()

    def begin(self) -> None:
        """Start the attempt's time, when the device has been notified that the attempt begins."""
        self._began = self.last_activity = self._clock.monotonic()

    def note_activity(self) -> None:
        """Restart the measurement of silence, when a message of the device has been processed."""
        self.last_activity = self._clock.monotonic()

    def overdue(self, now: float) -> bool:
        """Return whether an attempt that is not complete has exceeded its time."""
        return self.completed is None and now - self._began >= self._seconds

    def wait(self, due: Iterable[float]) -> float:
        """Return the seconds until the next time limit or task, if no message arrives before.

        Args:
            due: The times at which other tasks are due.
        """
        ends = self._began + self._seconds if self.completed is None else self.completed + self._end_seconds
        soonest = min(self.last_activity + self._idle_seconds, ends, *due)
        remaining = (self._deadline - self._clock.now()).total_seconds()
        return max(0.0, min(soonest - self._clock.monotonic(), remaining))

    def require_before_deadline(self) -> None:
        """Test the scan's deadline.

        Raises:
            ScanDeadlinePassed: The deadline has passed.
        """
        if self._clock.now() >= self._deadline:
            raise ScanDeadlinePassed

    def require_activity(self, now: float) -> None:
        """Test how long the server has waited for the device.

        Raises:
            Refusal: The server waited too long (STREAM_IDLE).
        """
        if self.completed is not None and now - self.completed >= self._end_seconds:
            raise _idle("`attempt_end` did not arrive", self._end_seconds)
        if now - self.last_activity >= self._idle_seconds:
            raise _idle("nothing arrived", self._idle_seconds)


def _idle(what: str, seconds: float) -> Refusal:
    return Refusal(
        Reason.STREAM_IDLE,
        f"{what} for {seconds:g} seconds; reconnect with `resume`",
        details={"idleSeconds": seconds},
    )


@dataclass(slots=True)
class _Pause:
    """One pause that the server requested.

    Attributes:
        began: When the request was sent, seconds of the server's monotonic clock.
        seconds: Its length by the same clock; ``None`` until the server asked the device to continue.
        gap: The longest time between two frames since the request, seconds of the device's clock.
    """

    began: float
    seconds: float | None = None
    gap: float = 0.0


class CaptureRate:
    """Counts an attempt's frames and measures their rate.

    The server knows when it sent the request for a pause, not when the device received it. The pause of the
    device is therefore the longest time between two frames since the request. It is limited to the time that
    the server requested, so that a slow device cannot pass its slowness off as a pause.

    Attributes:
        frames: The number of frames received.
    """

    def __init__(self) -> None:
        """Start without frames."""
        self.frames = 0
        self._first = 0.0
        self._last = 0.0
        self._intervals: list[float] = []
        self._pauses: list[_Pause] = []

    @property
    def paused_seconds(self) -> float:
        """The seconds of the device's clock in which it sent no frames because of a pause."""
        return sum(min(pause.gap, pause.seconds or 0.0) for pause in self._pauses)

    @property
    def seconds(self) -> float:
        """The seconds from the first to the last frame by the device's clock, without pauses; at first 0."""
        return max(0.0, self._last - self._first - self.paused_seconds)

    @property
    def per_second(self) -> float | None:
        """The frames per second; ``None`` before there are two frames."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else None

    @property
    def captured_per_second(self) -> float | None:
        """The images per second that the camera gave while they could be sent; ``None`` before two frames.

        It is that of the shortest quarter of the intervals: on a slow network, images come in bursts with
        gaps between them, but a slow camera gives none faster.
        """
        if not self._intervals:
            return None
        interval = sorted(self._intervals)[len(self._intervals) // 4]
        return 1 / interval if interval > 0 else math.inf

    def count_frame(self, captured: float, *, dropped: int = 0) -> None:
        """Count a frame.

        Args:
            captured: When the device captured it, seconds of its clock.
            dropped: The images that the device captured since the last frame and did not send.
        """
        if not self.frames:
            self._first = captured
        else:
            self._intervals.append((captured - self._last) / (1 + dropped))
            if self._pauses:
                self._pauses[-1].gap = max(self._pauses[-1].gap, captured - self._last)
        self._last = captured
        self.frames += 1

    def pause(self, now: float) -> None:
        """Note that a pause was requested at ``now``, seconds of the server's monotonic clock."""
        self._pauses.append(_Pause(began=now))

    def resume(self, now: float) -> None:
        """Note that the pause was ended at ``now``, seconds of the server's monotonic clock."""
        if self._pauses and self._pauses[-1].seconds is None:
            self._pauses[-1].seconds = now - self._pauses[-1].began


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPace:
    """Compares what an attempt received with what it needs.

    Attributes:
        credit: The credit of the stream's device, for which it may have had to wait.
        least: The lowest frame rate at which motion can be measured, frames per second.
    """

    rate: CaptureRate
    capture: AttemptCapture
    credit: CreditLedger
    least: float

    @property
    def too_slow(self) -> str | None:
        """The hint if too few frames arrived to measure motion, or nearly all of them arrived in bursts.

        It names the camera if that captured too few images, and the network if they were not sent in time.
        """
        if self._captures_too_few:
            return CAPTURE_TOO_SLOW
        measured = self.capture.measured_per_second(paused_seconds=self.rate.paused_seconds)
        if self._below_least or (measured is not None and measured < _LEAST_MEASURED_SHARE * self.least):
            return NETWORK_TOO_SLOW
        return None

    @property
    def busy(self) -> bool:
        """Whether the device waited for credit so long that few or late frames are the server's own fault.

        The wait is from the arrival of the frame that used the last credit to the grant of more, so that a
        slow network adds nothing to it.
        """
        waited = self.credit.waited_seconds
        return waited > 0.0 and waited >= _BUSY_SHARE * self.rate.seconds

    @property
    def slow_by_now(self) -> str | None:
        """The code that tells the person, during the capture, what makes it slow; ``None`` if nothing."""
        if self.busy:
            slow = self.rate.seconds >= _BUSY_AFTER_SECONDS and self.too_slow is not None
            return SERVER_BUSY if slow else None
        slow = self.rate.seconds >= _RATE_AFTER_SECONDS and self._captures_too_few
        return CAPTURE_TOO_SLOW if slow else None

    @property
    def stays_slow(self) -> bool:
        """Whether fewer frames arrive than are needed, for long enough to ask for smaller ones."""
        return self._below_least and self.rate.seconds >= _RATE_AFTER_SECONDS

    @property
    def _below_least(self) -> bool:
        rate = self.rate.per_second
        return rate is not None and rate < self.least

    @property
    def _captures_too_few(self) -> bool:
        captured = self.rate.captured_per_second
        return captured is not None and captured < self.least
