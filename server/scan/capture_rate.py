"""At which rate a device sent an attempt's frames, by its own clock and without the server's pauses."""

from dataclasses import dataclass

__all__ = ["CaptureRate"]


@dataclass(slots=True)
class _Pause:
    """One pause.

    Attributes:
        began: When it was sent, seconds of the server's monotonic clock.
        seconds: How long it lasted by that clock; ``None`` until the device was told to go on.
        gap: The longest time between two frames since, seconds of the device's clock.
    """

    began: float
    seconds: float | None = None
    gap: float = 0.0


class CaptureRate:
    """Counts an attempt's frames and times them.

    The server knows when it sent a pause and not when the device heard it. What the device had of it is the
    longest time between two frames since then; but never more than the server asked for, so that a slow
    device cannot hide behind a pause.

    Attributes:
        frames: Frames accepted.
    """

    def __init__(self) -> None:
        """Starts without a frame."""
        self.frames = 0
        self._first = 0.0
        self._last = 0.0
        self._pauses: list[_Pause] = []

    @property
    def paused_seconds(self) -> float:
        """Seconds of the device's clock in which it sent no frames because it was told so."""
        return sum(min(pause.gap, pause.seconds or 0.0) for pause in self._pauses)

    @property
    def seconds(self) -> float:
        """From the first frame to the last by the device's clock, without pauses; 0 before two frames."""
        return max(0.0, self._last - self._first - self.paused_seconds)

    @property
    def per_second(self) -> float | None:
        """Frames a second; ``None`` before two of them."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else None

    def frame(self, captured: float) -> None:
        """A frame was accepted that the device captured at ``captured``, seconds of its clock."""
        if not self.frames:
            self._first = captured
        elif self._pauses:
            self._pauses[-1].gap = max(self._pauses[-1].gap, captured - self._last)
        self._last = captured
        self.frames += 1

    def pause(self, now: float) -> None:
        """The device is told to hold frames back at ``now``, seconds of the server's monotonic clock."""
        self._pauses.append(_Pause(began=now))

    def resume(self, now: float) -> None:
        """The device is told to go on at ``now``, seconds of the server's monotonic clock."""
        if self._pauses and self._pauses[-1].seconds is None:
            self._pauses[-1].seconds = now - self._pauses[-1].began
