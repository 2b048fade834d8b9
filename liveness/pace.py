"""Decides which frames of an attempt are measured: enough to show a face's motion, at any frame rate."""

from collections import deque
from enum import StrEnum

APART_SECONDS = 0.145
"""The longest time between two measured frames, seconds, if frames arrive faster. So 7 to 13 are measured a
second at any frame rate. research/scan_cost/NOTES.md has the effect on verdicts."""

_RESTLESS_SECONDS = 0.105
"""The same while a face moves so fast that its points are lost, seconds: 10 to 19 are measured a second."""

_SOON = 0.4
"""The least time between two measured frames, as a share of the longest."""

_SAMPLED_SECONDS = 1.0
"""The time at the start in which every frame is sampled, seconds. Comparing all frames of a second with the
measured frames of the rest finds a loop of any period. Measured frames alone find only multiples of their
step."""


_GAPS = 3
"""The number of gaps that predict the next one, which is assumed to be as long as the longest of them. Over a
slow link frames arrive in bunches, so the last of a bunch is measured rather than the late one after it."""


class FrameWork(StrEnum):
    """The work that a frame gets."""

    MEASURE = "MEASURE"
    """The frame is measured."""
    SAMPLE = "SAMPLE"
    """The frame is only sampled, for comparison with others."""
    NOTE = "NOTE"
    """The frame is not decoded."""


class FramePace:
    """Decides the work of each frame of one attempt."""

    def __init__(self, *, apart_seconds: float = APART_SECONDS) -> None:
        """Starts with the first frame, which is measured.

        Args:
            apart_seconds: The longest time between two measured frames if frames arrive faster, seconds; 0 to
                measure all.
        """
        self._apart = apart_seconds
        self._began: float | None = None
        self._watched = 0.0
        self._last = 0.0
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def next(self, capture_time: float, *, restless: bool) -> FrameWork:
        """Returns the work of the next frame.

        Args:
            capture_time: Its capture time, seconds on the device's clock, increasing.
            restless: Whether the face's points were just lost (``FrameWatcher.restless``).
        """
        apart = min(self._apart, _RESTLESS_SECONDS) if restless else self._apart
        if self._began is None:
            self._began = self._watched = self._last = capture_time
            return FrameWork.MEASURE
        self._gaps.append(capture_time - self._last)
        self._last = capture_time
        until_next = max(self._gaps)
        since_watched = capture_time - self._watched
        if since_watched >= _SOON * apart and since_watched + until_next > apart:
            self._watched = capture_time
            return FrameWork.MEASURE
        sampled = capture_time - self._began < _SAMPLED_SECONDS
        return FrameWork.SAMPLE if sampled else FrameWork.NOTE
