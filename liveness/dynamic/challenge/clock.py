"""The time of one challenge: the server's monotonic clock, as far as it was told."""

import math

from liveness.errors import ObservationError

__all__ = ["ChallengeClock"]


class ChallengeClock:
    """Seconds of the server's monotonic clock. One that goes back stands still until it is where it was."""

    def __init__(self) -> None:
        """Starts before any time."""
        self._now = -math.inf
        self._began: float | None = None

    @property
    def now(self) -> float:
        """The latest time; minus infinity before the first."""
        return self._now

    @property
    def began(self) -> float:
        """Since when the challenge has taken its time."""
        return self._now if self._began is None else self._began

    def advance(self, now: float) -> None:
        """Take the time; the first one begins the challenge.

        Raises:
            ObservationError: It is no finite number.
        """
        if not math.isfinite(now):
            raise ObservationError("the time of a challenge must be a finite number")
        self._now = max(self._now, now)
        if self._began is None:
            self._began = self._now

    def begin_anew(self) -> None:
        """Count from now: whatever was waited for so far takes nothing from the challenge's time."""
        self._began = self._now

    def not_before(self, time: float) -> float:
        """``time``, or now where that is later."""
        return max(self._now, time)
