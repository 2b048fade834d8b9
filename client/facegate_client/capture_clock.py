"""The capture clock of a recording: the times at which a camera would have captured its images."""

import asyncio
import time

from facegate_client.frame_source import Pace

__all__ = ["CaptureClock"]

_LATE_US = 200_000


class CaptureClock:
    """Maps the timestamps of a recording to a monotonic clock and waits until each image is due.

    In ``realtime`` the recording is anchored to the clock at the first image of each attempt, so that
    it pauses between attempts as a person would. In ``fast`` it is anchored once and never waits.
    """

    def __init__(self, pace: Pace, *, skip_late: bool) -> None:
        """Prepares the clock.

        Args:
            pace: Whether to wait.
            skip_late: Whether an image that is requested more than 200 ms late in ``realtime`` is skipped, as
                a camera would have lost it. If not, the recording is delayed by that time, for sources that
                are slower than real time.
        """
        self._pace = pace
        self._skip_late = skip_late
        self._offset_us: int | None = None
        self._last_us = 0

    def restart(self) -> None:
        """Anchors the next image to the present; has no effect in ``fast``."""
        if self._pace == "realtime":
            self._offset_us = None

    async def wait_until_due(self, media_time_us: int) -> int | None:
        """Waits until an image is due.

        Args:
            media_time_us: Its timestamp in the recording, microseconds, strictly rising.

        Returns:
            Its capture time in microseconds of the monotonic clock, strictly rising; ``None`` if the image is
            late and has to be skipped.
        """
        now = time.monotonic_ns() // 1000
        if self._offset_us is None:
            self._offset_us = max(now, self._last_us + 1) - media_time_us
        capture_time = media_time_us + self._offset_us
        if self._pace == "realtime":
            late = now - capture_time
            if late > _LATE_US:
                if self._skip_late:
                    return None
                self._offset_us += late
                capture_time += late
            elif late < 0:
                await asyncio.sleep(-late / 1_000_000)
        self._last_us = max(capture_time, self._last_us + 1)
        return self._last_us
