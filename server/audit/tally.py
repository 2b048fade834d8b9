"""Counts events that callers can repeat at will, so that they cannot fill the disk with entries."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

__all__ = ["Repeats", "Tally"]

_Key = TypeVar("_Key", bound=Hashable)
_INTERVAL: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Repeats(Generic[_Key]):
    """Events of one kind that were counted and not recorded.

    Attributes:
        key: The key of the events; ``None`` for the events of all kinds beyond the maximum.
        count: The number of events.
    """

    key: _Key | None
    count: int


@dataclass(slots=True)
class _Interval:
    start: datetime
    repeats: int = 0


class Tally(Generic[_Key]):
    """Selects the first event of each kind for recording, and counts further ones for a minute."""

    def __init__(self, *, most: int) -> None:
        """Sets the maximum number of kinds to count separately. Events of further kinds share one count."""
        self._most = most
        self._intervals: dict[_Key, _Interval] = {}
        self._others: _Interval | None = None

    def take(self, key: _Key, now: datetime) -> bool:
        """Returns whether the event is to be recorded now; otherwise counts it for ``due``."""
        interval = self._intervals.get(key)
        if interval is None and len(self._intervals) < self._most:
            self._intervals[key] = _Interval(now)
            return True
        if interval is None:
            interval = self._others = self._others or _Interval(now)
        interval.repeats += 1
        return False

    def due(self, now: datetime, *, everything: bool = False) -> tuple[Repeats[_Key], ...]:
        """Returns the counts of the minutes that have ended, and begins new ones.

        Args:
            now: The time.
            everything: Whether the running minutes are ended, too.
        """
        found: list[Repeats[_Key]] = []
        # A clock that was set back must not keep a kind for ever.
        ended = [
            (key, interval)
            for key, interval in self._intervals.items()
            if everything or not timedelta() <= now - interval.start < _INTERVAL
        ]
        for key, interval in ended:
            del self._intervals[key]
            if interval.repeats:
                found.append(Repeats(key, interval.repeats))
                if not everything:
                    # The next event of a kind that goes on is counted, too: one entry a minute, not two.
                    self._intervals[key] = _Interval(now)
        others = self._others
        if others is not None and (everything or not timedelta() <= now - others.start < _INTERVAL):
            found.append(Repeats(None, others.repeats))
            self._others = None
        return tuple(found)
