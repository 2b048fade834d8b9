"""Holds back work on frames while a verdict is made, for a moment and never for long.

A verdict is a tenth of a second of work, most of which needs the interpreter lock. Next to frames of other
scans it takes two to three times as long, for the lock and for the cores. A person looks at a screen until
it is there; frames that are worked in a tenth of a second later only use up a part of their window of credit.
"""

import time
from collections.abc import Callable
from typing import Final

__all__ = ["VerdictHold"]

_CORES: Final = 2
"""That frames leave to each verdict: one for its work, one for the event loop and the database."""

_LONGEST_SECONDS: Final = 0.2
"""At a stretch; afterwards frames have as much time for themselves. So at least half of it is theirs, however
many verdicts there are."""


class VerdictHold:
    """Says how many calls on frames may run at once. Not safe to call from several threads at once."""

    def __init__(self, *, workers: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Starts without a verdict.

        Args:
            workers: Calls that may run at once where no verdict is made.
            monotonic: The clock.
        """
        self._workers = workers
        self._monotonic = monotonic
        self._verdicts = 0
        self._left = _LONGEST_SECONDS
        self._since = monotonic()

    def begin(self) -> None:
        """A verdict begins to be made."""
        self._account()
        self._verdicts += 1

    def end(self) -> None:
        """One is made, or given up."""
        self._account()
        self._verdicts -= 1

    @property
    def allowed(self) -> int:
        """Calls on frames that may run at once now, 0 to the number of workers."""
        self._account()
        if self._left <= 0:
            return self._workers
        return max(0, self._workers - _CORES * self._verdicts)

    @property
    def seconds_left(self) -> float:
        """For how long ``allowed`` may stay as low as it is; more than 0."""
        return max(self._left, 1e-3)

    def _account(self) -> None:
        now = self._monotonic()
        passed, self._since = now - self._since, now
        held = self._verdicts > 0 and self._left > 0
        self._left = self._left - passed if held else min(_LONGEST_SECONDS, self._left + passed)
