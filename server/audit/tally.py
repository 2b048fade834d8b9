"""Counts events that callers can repeat at will, so that they cannot fill the disk with entries."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Generic, TypeVar

__all__ = ["Repeats", "Tally"]

_Key = TypeVar("_Key", bound=Hashable)
_INTERVAL: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Repeats(Generic[_Key]):
    """Events of one kind that were counted and not recorded.

    Attributes:
        key: The key of the events; for those of kinds beyond the maximum, what they share.
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

    def __init__(self, *, most: int, shared: Callable[[_Key], _Key | None] = lambda _: None) -> None:
        """Sets how many kinds are counted separately.

        Args:
            most: The maximum number of kinds.
            shared: Returns the key under which the events of a kind beyond the maximum are counted. It must
                have few values. By default, all share one count.
        """
        self._most = most
        self._shared = shared
        self._intervals: dict[_Key, _Interval] = {}
        self._beyond: dict[_Key | None, _Interval] = {}

    def record_or_count(self, key: _Key, now: datetime) -> bool:
        """Returns whether the event is to be recorded now; otherwise counts it for ``due``."""
        interval = self._intervals.get(key)
        if interval is None and len(self._intervals) < self._most:
            self._intervals[key] = _Interval(now)
            return True
        if interval is None:
            interval = self._beyond.setdefault(self._shared(key), _Interval(now))
        interval.repeats += 1
        return False

    def due(self, now: datetime, *, everything: bool = False) -> tuple[Repeats[_Key], ...]:
        """Returns the counts of the minutes that have ended, and begins new ones.

        Args:
            now: The time.
            everything: Whether the running minutes are ended, too.
        """
        found: list[Repeats[_Key]] = []
        ends = partial(_ends, now=now, everything=everything)
        for key, interval in list(filter(ends, self._intervals.items())):
            del self._intervals[key]
            if interval.repeats:
                found.append(Repeats(key, interval.repeats))
                if not everything:
                    # The next event of a kind that continues is counted, too: one entry a minute, not two.
                    self._intervals[key] = _Interval(now)
        for shared, interval in list(filter(ends, self._beyond.items())):
            del self._beyond[shared]
            found.append(Repeats(shared, interval.repeats))
        return tuple(found)


def _ends(counted: tuple[object, _Interval], *, now: datetime, everything: bool) -> bool:
    # A clock that was set back must not keep a kind for ever.
    return everything or not timedelta() <= now - counted[1].start < _INTERVAL
