"""Which frames of an attempt are measured: as many as show how a face moves, whatever rate comes."""

from collections import deque
from enum import StrEnum

APART_SECONDS = 0.145
"""Longest time between two measured frames where frames come faster, seconds: 7 to 13 of them a second, at
whatever rate they come. research/scan_cost/NOTES.md says what this does to verdicts."""

_RESTLESS_SECONDS = 0.105
"""The same while a face moves so fast that its points are lost: 10 to 19 a second."""

_SOON = 0.4
"""Share of that time: frames at nearly one moment show one moment."""

_SAMPLED_SECONDS = 1.0
"""How long every frame is sampled at first: a second of all frames against the rest of the scan's measured
ones shows a loop of any period, where measured frames alone would only show its multiples of their step."""


_GAPS = 3
"""Last gaps between frames of which the next one may be as long as the longest: over a slow link frames come
in bunches, and the last of a bunch must not be left out for one that is long in coming."""


class FrameWork(StrEnum):
    """What is done with a frame."""

    WATCH = "WATCH"
    """It is measured."""
    SAMPLE = "SAMPLE"
    """It is only sampled, to be compared with others."""
    NOTE = "NOTE"
    """It is not even decoded."""


class FramePace:
    """Decides frame by frame. Belongs to one attempt."""

    def __init__(self, *, apart_seconds: float = APART_SECONDS) -> None:
        """Starts with the first frame, which is measured.

        Args:
            apart_seconds: Longest time between two measured frames where frames come faster; 0 for all.
        """
        self._apart = apart_seconds
        self._began: float | None = None
        self._watched = 0.0
        self._last = 0.0
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def next(self, capture_time: float, *, restless: bool) -> FrameWork:
        """What to do with the next frame.

        Args:
            capture_time: When the device captured it, seconds on the device's clock, increasing.
            restless: Whether the face's points were lost just now (``FrameWatcher.restless``).
        """
        apart = min(self._apart, _RESTLESS_SECONDS) if restless else self._apart
        if self._began is None:
            self._began = self._watched = self._last = capture_time
            return FrameWork.WATCH
        self._gaps.append(capture_time - self._last)
        self._last = capture_time
        until_next = max(self._gaps)
        since_watched = capture_time - self._watched
        if since_watched >= _SOON * apart and since_watched + until_next > apart:
            self._watched = capture_time
            return FrameWork.WATCH
        sampled = capture_time - self._began < _SAMPLED_SECONDS
        return FrameWork.SAMPLE if sampled else FrameWork.NOTE
