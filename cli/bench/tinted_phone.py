"""A phone that tints a scan rendered and encoded in advance: cheap enough for several in parallel."""

import asyncio
import time
from typing import Self

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from cli.bench.tinted_frames import Rgb, TintedFrames
from facegate_client import CameraDescription, CapturedImage, DisplayedStep, Pace

__all__ = ["TintedPhone"]

_LAG_US = 60_000
"""Time from a colour's appearance until the camera captures it."""


class TintedPhone:
    """Implements ``facegate_client.FrameSource`` and ``facegate_client.FlashScreen`` for one scan."""

    def __init__(self, frames: TintedFrames, *, frames_per_second: float) -> None:
        """Takes the frames of a scan."""
        self._frames = frames
        self._interval_us = round(1e6 / frames_per_second)
        self._began_us: int | None = None
        self._next = 0
        self._steps: list[tuple[DisplayedStep, Rgb | None]] = [(DisplayedStep(), None)]
        self._camera = CameraDescription(
            label="tinted", frames_per_second=frames_per_second, timestamp_source="benchmark"
        )

    @property
    def camera(self) -> CameraDescription:
        """The description of the camera."""
        return self._camera

    @property
    def pace(self) -> Pace:
        """Always real time."""
        return "realtime"

    def begin_attempt(self) -> None:
        """Nothing changes."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Returns the frame that is due, in the colour that had appeared shortly before.

        Raises:
            StopAsyncIteration: The scan is complete.
        """
        if self._began_us is None:
            self._began_us = _now_us()
        # Frames that were due while the device was busy are not captured.
        passed = (_now_us() - self._began_us) // self._interval_us
        number = self._next = max(self._next, passed)
        if number >= len(self._frames):
            raise StopAsyncIteration
        captured = self._began_us + number * self._interval_us
        await asyncio.sleep(max(0.0, (captured - _now_us()) / 1e6))
        self._next += 1
        _, colour = self._at(captured - _LAG_US)
        return CapturedImage(image=self._frames.jpeg(number, colour), capture_time_us=captured)

    async def aclose(self) -> None:
        """Does nothing, because nothing is open."""

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The profile of the screen."""
        return device_pb2.ScreenProfile(width=1080, height=2340, brightness=1.0, refresh_rate_hz=60)

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """None: it does not scroll and draws no oval."""
        return ()

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Fills the screen immediately."""
        colour = step.color.red, step.color.green, step.color.blue
        self._steps.append((DisplayedStep(step.step, _now_us()), colour))

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Not called, because ovals are not among the capabilities."""

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Ignores hints."""

    def restore(self) -> None:
        """Clears the screen."""
        self._steps.append((DisplayedStep(0, _now_us()), None))

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the step on display at the capture of a frame."""
        shown, _ = self._at(capture_time_us)
        return shown if shown.number else DisplayedStep()

    def _at(self, time_us: int) -> tuple[DisplayedStep, Rgb | None]:
        return next(one for one in reversed(self._steps) if one[0].since_us <= time_us)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
