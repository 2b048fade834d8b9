"""The frame rate of an attempt by the device's clock, without the pauses that the server requested."""

import math
from dataclasses import dataclass

__all__ = ["CaptureRate"]


@dataclass(slots=True)
class _Pause:
    """One pause that the server requested.

    Attributes:
        began: When the request was sent, seconds of the server's monotonic clock.
        seconds: Its length by the same clock; ``None`` until the server asked the device to continue.
        gap: The longest time between two frames since the request, seconds of the device's clock.
    """

    began: float
    seconds: float | None = None
    gap: float = 0.0


class CaptureRate:
    """Counts an attempt's frames and measures their rate.

    The server knows when it sent the request for a pause, not when the device received it. The pause of the
    device is therefore the longest time between two frames since the request. It is limited to the time that
    the server requested, so that a slow device cannot pass its slowness off as a pause.

    Attributes:
        frames: The number of frames received.
    """

    def __init__(self) -> None:
        """Starts without frames."""
        self.frames = 0
        self._first = 0.0
        self._last = 0.0
        self._intervals: list[float] = []
        self._pauses: list[_Pause] = []

    @property
    def paused_seconds(self) -> float:
        """The seconds of the device's clock in which it sent no frames because of a pause."""
        return sum(min(pause.gap, pause.seconds or 0.0) for pause in self._pauses)

    @property
    def seconds(self) -> float:
        """The seconds from the first to the last frame by the device's clock, without pauses; at first 0."""
        return max(0.0, self._last - self._first - self.paused_seconds)

    @property
    def per_second(self) -> float | None:
        """The frames per second; ``None`` before there are two frames."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else None

    @property
    def captured_per_second(self) -> float | None:
        """The images per second that the camera gave while they could be sent; ``None`` before two frames.

        It is that of the shortest quarter of the intervals: on a slow network, images come in bursts with
        gaps between them, but a slow camera gives none faster.
        """
        if not self._intervals:
            return None
        interval = sorted(self._intervals)[len(self._intervals) // 4]
        return 1 / interval if interval > 0 else math.inf

    def count_frame(self, captured: float, *, dropped: int = 0) -> None:
        """Counts a frame.

        Args:
            captured: When the device captured it, seconds of its clock.
            dropped: The images that the device captured since the last frame and did not send.
        """
        if not self.frames:
            self._first = captured
        else:
            self._intervals.append((captured - self._last) / (1 + dropped))
            if self._pauses:
                self._pauses[-1].gap = max(self._pauses[-1].gap, captured - self._last)
        self._last = captured
        self.frames += 1

    def pause(self, now: float) -> None:
        """Notes that a pause was requested at ``now``, seconds of the server's monotonic clock."""
        self._pauses.append(_Pause(began=now))

    def resume(self, now: float) -> None:
        """Notes that the pause was ended at ``now``, seconds of the server's monotonic clock."""
        if self._pauses and self._pauses[-1].seconds is None:
            self._pauses[-1].seconds = now - self._pauses[-1].began
