"""How long an attempt may take, and how long its device may be silent."""

from collections.abc import Iterable

from server.errors import Reason, Refusal
from server.scan.endings import ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream, attempt_seconds

__all__ = ["AttemptClocks"]


class AttemptClocks:
    """The limits of one attempt. Times are seconds of the server's monotonic clock.

    Attributes:
        heard: When the device was last heard of, or last waited for the server's work on what it had sent.
        completed: When the device was told that the capture is complete; ``None`` before.
    """

    def __init__(self, env: ScanEnvironment, stream: OpenStream) -> None:
        """Takes what limits the attempt, which begins now.

        Args:
            env: What every stream shares.
            stream: The stream.
        """
        self._clock = env.clock
        self._end_seconds = env.settings.end_seconds
        self._seconds = attempt_seconds(stream.policy, env.settings.budget)
        self._idle_seconds = stream.policy.deadlines.idle_seconds
        self._deadline = stream.record.scan_deadline
        self.completed: float | None = None
        self.begin()

    def begin(self) -> None:
        """The device knows that the attempt begins, and is heard of from now on."""
        self._began = self.heard = self._clock.monotonic()

    def hear(self) -> None:
        """The device was heard of, and what it sent is worked off."""
        self.heard = self._clock.monotonic()

    def overdue(self, now: float) -> bool:
        """Whether an attempt that is not complete takes too long."""
        return self.completed is None and now - self._began >= self._seconds

    def wait(self, due: Iterable[float]) -> float:
        """Seconds until something is to be done, unless the device is heard of before.

        Args:
            due: When there is something to do beside.
        """
        ends = self._began + self._seconds if self.completed is None else self.completed + self._end_seconds
        soonest = min(self.heard + self._idle_seconds, ends, *due)
        remaining = (self._deadline - self._clock.now()).total_seconds()
        return max(0.0, min(soonest - self._clock.monotonic(), remaining))

    def check_deadline(self) -> None:
        """Makes sure that there is time left.

        Raises:
            ScanDeadlinePassed: There is none.
        """
        if self._clock.now() >= self._deadline:
            raise ScanDeadlinePassed

    def check_silence(self, now: float) -> None:
        """Makes sure that the device did not leave the server waiting for too long.

        Raises:
            Refusal: It did (STREAM_IDLE).
        """
        if self.completed is not None and now - self.completed >= self._end_seconds:
            raise _idle("`attempt_end` did not arrive", self._end_seconds)
        if now - self.heard >= self._idle_seconds:
            raise _idle("nothing arrived", self._idle_seconds)


def _idle(what: str, seconds: float) -> Refusal:
    return Refusal(
        Reason.STREAM_IDLE,
        f"{what} for {seconds:g} seconds; reconnect with `resume`",
        details={"idleSeconds": seconds},
    )
