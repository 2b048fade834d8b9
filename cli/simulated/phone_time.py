"""Simulated time that runs with the computer's clock.

Where rendering is slower than real time, simulated time is held back, so that the phone only seems to move
and to flash more slowly; the capture clock never runs ahead, and never back.
"""

import asyncio
import time

__all__ = ["PhoneTime"]

_LATE_US = 20_000


class PhoneTime:
    """When frames are due, and what the capture clock says of them."""

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
        """When the latest frame was rendered, simulated seconds."""
        return self._rendered_us / 1e6

    @property
    def now(self) -> float:
        """Now, in simulated seconds: however late the next frame is, not after it."""
        if self._offset_us is None:
            return self.rendered
        due = self._rendered_us + self._interval_us
        return min(due, max(self._rendered_us, _now_us() - self._offset_us)) / 1e6

    def stand_still(self) -> None:
        """Let no simulated time pass until the next frame is asked for."""
        self._offset_us = None

    async def until_due(self) -> int:
        """Waits until the next frame is due.

        Returns:
            What the capture clock will be ahead of that frame's simulated time, microseconds.
        """
        due = self._rendered_us + self._interval_us
        now = _now_us()
        if self._offset_us is None:
            # The capture clock never goes back: time that passed between attempts passed on it, too.
            self._offset_us = max(now, self._last_us + 1) - due
        late = now - (due + self._offset_us)
        if late > _LATE_US:
            self._offset_us += late
        # The next attempt may begin while this frame is waited for.
        offset_us = self._offset_us
        if late < 0:
            await asyncio.sleep(-late / 1e6)
        return offset_us

    def take(self, rendered: float, *, offset_us: int) -> int:
        """When a frame was captured, microseconds of the capture clock.

        Args:
            rendered: When it was rendered, simulated seconds.
            offset_us: What ``until_due`` said before it.
        """
        self._rendered_us = round(rendered * 1e6)
        self._last_us = max(self._last_us + 1, self._rendered_us + offset_us)
        return self._last_us

    def simulated(self, capture_time_us: int) -> float:
        """Simulated seconds at a time of the capture clock."""
        return (capture_time_us - (self._offset_us or 0)) / 1e6

    def captured(self, simulated: float) -> int:
        """Microseconds of the capture clock at a simulated time."""
        return round(simulated * 1e6) + (self._offset_us or 0)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
