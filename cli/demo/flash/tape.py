"""Keeps what a simulated phone films and shows while a scan runs."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Self

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from cli.simulated.phone import SimulatedPhone
from facegate_client import CameraDescription, CapturedImage, DisplayedStep, Exposure, Pace
from vision.image import encode_jpeg

__all__ = ["TapedAttempt", "TapedFrame", "TapedPhone"]

_QUALITY: Final = 85
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class TapedFrame:
    """One frame as it left the camera.

    Attributes:
        jpeg: The very bytes that are sent, unless the server asked for smaller frames.
        time: When it was captured, seconds of the capture clock.
        step: The step that was on display then; 0 for none.
        since: When that step appeared, seconds of the capture clock; None for none.
        exposure: What the camera did.
    """

    jpeg: bytes
    time: float
    step: int
    since: float | None
    exposure: Exposure | None


@dataclass(slots=True, eq=False)
class TapedAttempt:
    """What one attempt filmed and was told to show, in order."""

    frames: list[TapedFrame] = field(default_factory=list)
    steps: list[scan_pb2.FlashStep] = field(default_factory=list)


class TapedPhone:
    """A simulated phone on tape: a ``facegate_client.FrameSource`` and a ``facegate_client.FlashScreen``."""

    def __init__(self, phone: SimulatedPhone) -> None:
        """Puts a phone on tape."""
        self._phone = phone
        self._attempts: list[TapedAttempt] = []

    @property
    def attempts(self) -> tuple[TapedAttempt, ...]:
        """What was noted so far, attempt by attempt."""
        return tuple(self._attempts)

    @property
    def camera(self) -> CameraDescription:
        """What the phone's camera says of itself."""
        return self._phone.camera

    @property
    def pace(self) -> Pace:
        """The phone's."""
        return self._phone.pace

    def begin_attempt(self) -> None:
        """A new attempt, on a new tape."""
        self._attempts.append(TapedAttempt())
        self._phone.begin_attempt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """The phone's next frame as a JPEG, which is noted.

        Raises:
            StopAsyncIteration: The phone has none.
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
        """Switches the phone off."""
        await self._phone.aclose()

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """What the phone's screen says of itself."""
        return self._phone.profile

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """The phone's."""
        return self._phone.capabilities

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Shows a step, and notes it."""
        if self._attempts:
            self._attempts[-1].steps.append(step)
        self._phone.show_step(step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """The phone's."""
        self._phone.show_oval(change)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """The phone's."""
        self._phone.show_hint(feedback)

    def restore(self) -> None:
        """The phone's."""
        self._phone.restore()

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """What the phone knows to have been on display."""
        return self._phone.displayed(capture_time_us)
