"""Records the frames and colours of a simulated phone during a scan."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Self

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import CameraDescription, CapturedImage, DisplayedStep, Exposure, Pace
from simulator.phone import SimulatedPhone
from vision.image import encode_jpeg

__all__ = ["TapedAttempt", "TapedFrame", "TapedPhone"]

_QUALITY: Final = 85
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class TapedFrame:
    """One frame of the camera.

    Attributes:
        jpeg: The bytes that are sent, unless the server requested smaller frames.
        time: Time of capture, seconds of the capture clock.
        step: The step on display at that time; 0 for none.
        since: Time of that step's appearance, seconds of the capture clock; None for none.
        exposure: The camera's exposure.
    """

    jpeg: bytes
    time: float
    step: int
    since: float | None
    exposure: Exposure | None


@dataclass(slots=True, eq=False)
class TapedAttempt:
    """The frames and the commanded steps of one attempt, in order."""

    frames: list[TapedFrame] = field(default_factory=list)
    steps: list[scan_pb2.FlashStep] = field(default_factory=list)


class TapedPhone:
    """A simulated phone that records. Implements ``facegate_client.FrameSource`` and ``FlashScreen``."""

    def __init__(self, phone: SimulatedPhone) -> None:
        """Records a phone."""
        self._phone = phone
        self._attempts: list[TapedAttempt] = []

    @property
    def attempts(self) -> tuple[TapedAttempt, ...]:
        """The recordings so far, one for each attempt."""
        return tuple(self._attempts)

    @property
    def camera(self) -> CameraDescription:
        """The description of the phone's camera."""
        return self._phone.camera

    @property
    def pace(self) -> Pace:
        """The pace of the phone."""
        return self._phone.pace

    def begin_attempt(self) -> None:
        """Starts the recording of a new attempt."""
        self._attempts.append(TapedAttempt())
        self._phone.begin_attempt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Returns the phone's next frame as a JPEG, and records it.

        Raises:
            StopAsyncIteration: The phone has no more frames.
        """
        image = await anext(self._phone)
        pixels = image.image
        jpeg = (
            pixels
            if isinstance(pixels, bytes)
            else await asyncio.to_thread(encode_jpeg, pixels, quality=_QUALITY)
        )
        shown = self.displayed(image.capture_time_us)
        if self._attempts:
            self._attempts[-1].frames.append(
                TapedFrame(
                    jpeg=jpeg,
                    time=image.capture_time_us / _MICROSECONDS,
                    step=shown.number,
                    since=shown.since_us / _MICROSECONDS if shown.number else None,
                    exposure=image.exposure,
                )
            )
        return CapturedImage(image=jpeg, capture_time_us=image.capture_time_us, exposure=image.exposure)

    async def aclose(self) -> None:
        """Closes the phone."""
        await self._phone.aclose()

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The profile of the phone's screen."""
        return self._phone.profile

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """The capabilities of the phone."""
        return self._phone.capabilities

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Shows a step, and records it."""
        if self._attempts:
            self._attempts[-1].steps.append(step)
        self._phone.show_step(step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Shows an oval on the phone."""
        self._phone.show_oval(change)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Shows a hint on the phone."""
        self._phone.show_hint(feedback)

    def restore(self) -> None:
        """Restores the phone's screen."""
        self._phone.restore()

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the step on the phone's display at a capture time."""
        return self._phone.displayed(capture_time_us)
