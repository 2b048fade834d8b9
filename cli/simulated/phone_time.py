"""Simulated time that runs with the computer's clock.

If rendering is slower than real time, simulated time slows down: the phone then seems to move and to flash
more slowly. The capture clock never runs ahead, and never backwards.
"""

import asyncio
import time

__all__ = ["PhoneTime"]

_LATE_US = 20_000


class PhoneTime:
    """Decides when each frame of a simulated phone is due, and gives it a time on the capture clock."""

    def __init__(self, *, frames_per_second: float) -> None:
        """Starts before the first frame.

        Args:
            frames_per_second: Mean rate of the frames.
        """
        self._interval_us = round(1e6 / frames_per_second)
        self._offset_us: int | None = None
        self._last_us = 0
        self._rendered_us = -self._interval_us

    @property
    def rendered(self) -> float:
        """Time of the latest rendered frame, in simulated seconds."""
        return self._rendered_us / 1e6

    @property
    def now(self) -> float:
        """The current time in simulated seconds; at most the due time of the next frame."""
        if self._offset_us is None:
            return self.rendered
        due = self._rendered_us + self._interval_us
        return min(due, max(self._rendered_us, _now_us() - self._offset_us)) / 1e6

    def stand_still(self) -> None:
        """Stops simulated time until the next frame is requested."""
        self._offset_us = None

    async def until_due(self) -> int:
        """Waits until the next frame is due.

        Returns:
            The offset of the capture clock from simulated time, microseconds, to pass to ``take``.
        """
        due = self._rendered_us + self._interval_us
        now = _now_us()
        if self._offset_us is None:
            # The capture clock never runs backwards: it also counts the time between attempts.
            self._offset_us = max(now, self._last_us + 1) - due
        late = now - (due + self._offset_us)
        if late > _LATE_US:
            self._offset_us += late
        # The next attempt may begin while this frame is awaited.
        offset_us = self._offset_us
        if late < 0:
            await asyncio.sleep(-late / 1e6)
        return offset_us

    def take(self, rendered: float, *, offset_us: int) -> int:
        """Returns the capture time of a frame, microseconds of the capture clock.

        Args:
            rendered: Time of its rendering, simulated seconds.
            offset_us: The value that ``until_due`` returned before it.
        """
        self._rendered_us = round(rendered * 1e6)
        self._last_us = max(self._last_us + 1, self._rendered_us + offset_us)
        return self._last_us

    def simulated(self, capture_time_us: int) -> float:
        """Converts a time of the capture clock to simulated seconds."""
        return (capture_time_us - (self._offset_us or 0)) / 1e6

    def captured(self, simulated: float) -> int:
        """Converts simulated seconds to microseconds of the capture clock."""
        return round(simulated * 1e6) + (self._offset_us or 0)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
