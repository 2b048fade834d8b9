"""The time limits of an attempt, and of the silence of its device."""

from collections.abc import Iterable

from server.errors import Reason, Refusal
from server.scan.endings import ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream

__all__ = ["AttemptClocks"]


class AttemptClocks:
    """Measures one attempt against its time limits. Times are seconds of the server's monotonic clock.

    Attributes:
        last_activity: When the device last sent something that the server has processed.
        completed: When the device was notified that the capture is complete; ``None`` before.
    """

    def __init__(self, env: ScanEnvironment, stream: OpenStream) -> None:
        """Starts the clocks of an attempt.

        Args:
            env: The environment that all streams share.
            stream: The stream.
        """
        self._clock = env.clock
        self._end_seconds = env.settings.end_seconds
        self._seconds = stream.budget.max_attempt_seconds
        self._idle_seconds = stream.policy.deadlines.idle_seconds
        self._deadline = stream.record.scan_deadline
        self.completed: float | None = None
        self.begin()

    def begin(self) -> None:
        """Starts the attempt's time, when the device has been notified that the attempt begins."""
        self._began = self.last_activity = self._clock.monotonic()

    def note_activity(self) -> None:
        """Restarts the measurement of silence, when a message of the device has been processed."""
        self.last_activity = self._clock.monotonic()

    def overdue(self, now: float) -> bool:
        """Returns whether an attempt that is not complete has exceeded its time."""
        return self.completed is None and now - self._began >= self._seconds

    def wait(self, due: Iterable[float]) -> float:
        """Returns the seconds until the next time limit or task, if no message arrives before.

        Args:
            due: The times at which other tasks are due.
        """
        ends = self._began + self._seconds if self.completed is None else self.completed + self._end_seconds
        soonest = min(self.last_activity + self._idle_seconds, ends, *due)
        remaining = (self._deadline - self._clock.now()).total_seconds()
        return max(0.0, min(soonest - self._clock.monotonic(), remaining))

    def require_before_deadline(self) -> None:
        """Tests the scan's deadline.

        Raises:
            ScanDeadlinePassed: The deadline has passed.
        """
        if self._clock.now() >= self._deadline:
            raise ScanDeadlinePassed

    def require_activity(self, now: float) -> None:
        """Tests how long the server has waited for the device.

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
