"""A simulated phone: its camera as the client's source of frames, its screen as the client's screen.

Simulated time runs with the computer's clock. Where rendering is slower than real time, simulated time is
held back, so that the phone only seems to move and to flash more slowly; the capture clock never runs ahead.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from client import CameraDescription, CapturedImage, DisplayedStep, Exposure, Pace
from liveness.extent import face_extent
from simulator import (
    AppGuide,
    FlashScanSettings,
    Photo,
    ScreenLight,
    SimulatedExposure,
    SimulatedFrame,
    simulate_flash_scan,
)
from vision.face import BgrImage, DetectedFace

__all__ = ["SimulatedPhone", "phone_in_hand"]

_LATE_US = 20_000
_NOTHING = 0
_PIXELS_PER_MM = 16.0
_FRAMES_A_LOOK = 5

FindFaces = Callable[[BgrImage], Sequence[DetectedFace]]
"""Finds the faces of a frame, largest first."""


class SimulatedPhone:
    """Implements ``client.FrameSource`` and ``client.FlashScreen`` for one scan."""

    def __init__(
        self,
        frames: Iterator[SimulatedFrame],
        light: ScreenLight,
        *,
        label: str,
        frames_per_second: float,
        locks_exposure: bool = False,
        guide: AppGuide | None = None,
        find_faces: FindFaces | None = None,
    ) -> None:
        """Switches the phone on.

        Args:
            frames: Renders frame after frame, each with what ``light`` was told until then.
            light: The screen.
            label: Name of the camera for people.
            frames_per_second: Mean rate of ``frames``.
            locks_exposure: Whether the app locks exposure or white balance.
            guide: Tells who is in front of ``frames`` what to do; without one the phone draws no oval.
            find_faces: How they see themselves on the screen; without it they fill ovals by guess.
        """
        self._frames = frames
        self._light = light
        self._guide = guide
        self._find_faces = find_faces
        self._rendered = 0
        self._interval_us = round(1e6 / frames_per_second)
        self._camera = CameraDescription(
            label=label,
            frames_per_second=frames_per_second,
            timestamp_source="simulated",
            reports_exposure=True,
            locks_exposure=locks_exposure,
        )
        self._offset_us: int | None = None
        self._last_us = 0
        self._rendered_us = -self._interval_us
        self._steps: list[int] = []
        self._since_us: dict[int, int] = {}
        self._closed = False

    # -- the camera

    @property
    def camera(self) -> CameraDescription:
        """What the camera says of itself."""
        return self._camera

    @property
    def pace(self) -> Pace:
        """A phone is always in real time."""
        return "realtime"

    def begin_attempt(self) -> None:
        """Simulated time stood still between attempts; who followed an oval goes back to where they were."""
        if self._guide is not None:
            self._guide.release(at=self._rendered_us / 1e6)
        self._offset_us = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """The next frame, rendered when it is due: a colour that came before is on it, if it had appeared.

        Raises:
            StopAsyncIteration: The scan's length is over.
        """
        if self._closed:
            raise StopAsyncIteration
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
        frame = await asyncio.to_thread(self._next_frame)
        if frame is None:
            raise StopAsyncIteration
        self._rendered_us = round(frame.capture_time * 1e6)
        self._last_us = max(self._last_us + 1, self._rendered_us + offset_us)
        return CapturedImage(
            image=frame.pixels,
            capture_time_us=self._last_us,
            exposure=None if frame.exposure is None else _exposure(frame.exposure),
        )

    def _next_frame(self) -> SimulatedFrame | None:
        frame = next(self._frames, None)
        if frame is None or self._guide is None or not self._guide.asks or self._find_faces is None:
            return frame
        self._rendered += 1
        if self._rendered % _FRAMES_A_LOOK == 0 and (faces := self._find_faces(frame.pixels)):
            (tall, wide), seen = frame.pixels.shape[:2], face_extent(faces[0])
            self._guide.notice(
                seen.width / wide, centre=(seen.x / wide, seen.y / tall), at=frame.capture_time
            )
        return frame

    async def aclose(self) -> None:
        """Switches the phone off; may be called twice."""
        self._closed = True

    # -- the screen

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """What the screen says of itself."""
        phone = self._light.settings
        return device_pb2.ScreenProfile(
            width=round(phone.width_mm * _PIXELS_PER_MM),
            height=round(phone.height_mm * _PIXELS_PER_MM),
            brightness=1.0,
            refresh_rate_hz=phone.refresh_hertz,
            width_mm=phone.width_mm,
            height_mm=phone.height_mm,
        )

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """It scrolls, and draws ovals where somebody follows them."""
        scroll = scan_pb2.CAPABILITY_FLASH_SCROLL
        return (scroll,) if self._guide is None else (scroll, scan_pb2.CAPABILITY_OVAL_CHANGE)

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Tells the screen a colour now."""
        scroll_s = 0.0
        if step.transition == scan_pb2.TRANSITION_SCROLL_DOWN:
            duration = step.transition_duration
            scroll_s = duration.seconds + duration.nanos / 1e9
        colour = (step.color.red, step.color.green, step.color.blue)
        self._steps.append(step.step)
        self._light.show(colour, at=self._told_at(), scroll_seconds=scroll_s)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Tells the person to fill an oval."""
        if self._guide is None:
            return
        oval, duration = change.oval, change.transition_duration
        self._guide.fill(
            oval.width,
            centre=(oval.center_x, oval.center_y),
            at=self._told_at(),
            seconds=duration.seconds + duration.nanos / 1e9,
        )

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Who is in front of the camera blinks, or turns the head, when asked to."""
        if self._guide is None:
            return
        match feedback.code:
            case feedback_pb2.FEEDBACK_CODE_BLINK:
                self._guide.blink(at=self._told_at())
            case feedback_pb2.FEEDBACK_CODE_TURN_HEAD_SLIGHTLY:
                self._guide.turn(at=self._told_at())
            case _:
                pass

    def restore(self) -> None:
        """Tells the screen to show what it showed before the flash."""
        if self._steps and self._steps[-1] != _NOTHING:
            self._steps.append(_NOTHING)
            self._light.restore(at=self._told_at())

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """What the app knows to have been on display when a frame was captured."""
        offset = self._offset_us or 0
        number, since = self._light.appeared((capture_time_us - offset) / 1e6)
        step = self._steps[number - 1] if number else _NOTHING
        if step == _NOTHING:
            return DisplayedStep()
        return DisplayedStep(step, self._since_us.setdefault(number, round(since * 1e6) + offset))

    def _told_at(self) -> float:
        """Now, in simulated seconds: however late the next frame is, not after it."""
        if self._offset_us is None:
            return self._rendered_us / 1e6
        due = self._rendered_us + self._interval_us
        return min(due, max(self._rendered_us, _now_us() - self._offset_us)) / 1e6


def phone_in_hand(
    photo: Photo, settings: FlashScanSettings, *, find_faces: FindFaces | None = None
) -> SimulatedPhone:
    """A phone in front of a person or an attacker, at the beginning of a scan.

    Args:
        photo: The person, or the victim of the attack.
        settings: Everything else.
        find_faces: How they see themselves on the screen, where they have to fill an oval.
    """
    light, guide = ScreenLight(settings.phone, seed=settings.seed), AppGuide(seed=settings.seed)
    return SimulatedPhone(
        simulate_flash_scan(photo, settings, light, guide),
        light,
        label=f"simulated {settings.kind}",
        frames_per_second=settings.frames_per_second,
        locks_exposure=settings.camera.exposure_locked or settings.camera.white_balance_locked,
        guide=guide,
        find_faces=find_faces,
    )


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _exposure(exposure: SimulatedExposure) -> Exposure:
    return Exposure(
        exposure_time_ns=round(exposure.exposure_seconds * 1e9),
        iso=exposure.iso,
        white_balance_kelvin=exposure.white_balance_kelvin,
        rolling_shutter_skew_ns=round(exposure.rolling_shutter_seconds * 1e9),
        exposure_locked=exposure.exposure_locked,
        white_balance_locked=exposure.white_balance_locked,
    )
