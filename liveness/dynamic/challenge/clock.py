"""The time of one challenge, on the server's monotonic clock."""

import math

from liveness.errors import ObservationError

__all__ = ["ChallengeClock"]


class ChallengeClock:
    """The challenge's clock, seconds. It never goes back: an earlier time leaves it unchanged."""

    def __init__(self) -> None:
        """Starts without a time."""
        self._now = -math.inf
        self._began: float | None = None

    @property
    def now(self) -> float:
        """The latest time, seconds; minus infinity before the first."""
        return self._now

    @property
    def began(self) -> float:
        """The time at which the challenge began, seconds; ``now`` until it begins."""
        return self._now if self._began is None else self._began

    def advance(self, now: float) -> None:
        """Sets the clock to ``now``; the first call begins the challenge.

        Raises:
            ObservationError: ``now`` is not a finite number.
        """
        if not math.isfinite(now):
            raise ObservationError("the time of a challenge must be a finite number")
        self._now = max(self._now, now)
        if self._began is None:
            self._began = self._now

    def begin_anew(self) -> None:
        """Restarts the challenge's time, so that earlier waiting does not count."""
        self._began = self._now

    def not_before(self, time: float) -> float:
        """Returns the later of ``time`` and the present."""
        return max(self._now, time)
