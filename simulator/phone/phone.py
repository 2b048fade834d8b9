"""A simulated phone: the client's source of frames, and the client's screen.

Its time runs with the computer's clock. If rendering is slower than real time, simulated time slows down: the
phone then seems to move and to flash more slowly. The capture clock never runs ahead, and never backwards.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import CameraDescription, CapturedImage, DisplayedStep, Exposure, Pace
from liveness import Oval, face_extent
from simulator import (
    AppGuide,
    FlashScanSettings,
    Photo,
    ScreenLight,
    Side,
    SimulatedExposure,
    SimulatedFrame,
    simulate_flash_scan,
)
from vision.face import BgrImage, DetectedFace

__all__ = ["SimulatedPhone"]

_FRAMES_A_LOOK = 5
_LATE_US = 20_000
_NOTHING = 0
_PIXELS_PER_MM = 16.0

FindFaces = Callable[[BgrImage], Sequence[DetectedFace]]
"""Detects the faces of a frame, largest first."""


class _PhoneTime:
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


class _PhoneScreen:
    """A screen that lights the face in front of it."""

    def __init__(self, light: ScreenLight, time: _PhoneTime) -> None:
        """Shows the app's content before a flash.

        Args:
            light: The light of the screen.
            time: The time of the phone.
        """
        self._light = light
        self._time = time
        self._steps: list[int] = []
        self._since_us: dict[int, int] = {}

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The profile of the screen."""
        phone = self._light.settings
        return device_pb2.ScreenProfile(
            width=round(phone.width_mm * _PIXELS_PER_MM),
            height=round(phone.height_mm * _PIXELS_PER_MM),
            brightness=1.0,
            refresh_rate_hz=phone.refresh_hertz,
            width_mm=phone.width_mm,
            height_mm=phone.height_mm,
        )

    def show(self, step: scan_pb2.FlashStep) -> None:
        """Shows a colour from now on."""
        scroll_s = 0.0
        if step.transition == scan_pb2.TRANSITION_SCROLL_DOWN:
            duration = step.transition_duration
            scroll_s = duration.seconds + duration.nanos / 1e9
        colour = (step.color.red, step.color.green, step.color.blue)
        self._steps.append(step.step)
        self._light.show(colour, at=self._time.now, scroll_seconds=scroll_s)

    def restore(self) -> None:
        """Restores the content before the flash."""
        if self._steps and self._steps[-1] != _NOTHING:
            self._steps.append(_NOTHING)
            self._light.restore(at=self._time.now)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the step on display at the capture of a frame, as the app knows it."""
        number, since = self._light.appeared(self._time.simulated(capture_time_us))
        step = self._steps[number - 1] if number else _NOTHING
        if step == _NOTHING:
            return DisplayedStep()
        return DisplayedStep(step, self._since_us.setdefault(number, self._time.captured(since)))


class _Onlooker:
    """The simulated person in front of the phone, who follows its instructions on the screen."""

    def __init__(self, guide: AppGuide, find_faces: FindFaces | None) -> None:
        self._guide = guide
        self._find_faces = find_faces
        self._rendered = 0

    def look_at(self, frame: SimulatedFrame) -> None:
        """Looks at a frame on the screen: every few frames, and only if the app has given an instruction."""
        if not self._guide.asks or self._find_faces is None:
            return
        self._rendered += 1
        if self._rendered % _FRAMES_A_LOOK == 0 and (faces := self._find_faces(frame.pixels)):
            tall, wide = frame.pixels.shape[:2]
            self._guide.show_position(face_extent(faces[0]), frame=(wide, tall), at=frame.capture_time)

    def fill(self, change: scan_pb2.OvalChange, *, at: float) -> None:
        """Fills an oval."""
        shown, duration = change.oval, change.transition_duration
        self._guide.fill(
            Oval(shown.center_x, shown.center_y, shown.width, shown.height),
            at=at,
            seconds=duration.seconds + duration.nanos / 1e9,
        )

    def hear(self, feedback: feedback_pb2.Feedback, *, at: float) -> None:
        """Blinks, turns the head or opens the mouth, as the hint demands."""
        match feedback.code:
            case feedback_pb2.FEEDBACK_CODE_BLINK:
                self._guide.blink(at=at)
            case feedback_pb2.FEEDBACK_CODE_TURN_HEAD_SLIGHTLY:
                self._guide.turn(at=at)
            case feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH:
                self._guide.open_mouth(at=at)
            case feedback_pb2.FEEDBACK_CODE_TURN_LEFT:
                self._guide.turn_aside(Side.LEFT, at=at)
            case feedback_pb2.FEEDBACK_CODE_TURN_RIGHT:
                self._guide.turn_aside(Side.RIGHT, at=at)
            case _:
                pass

    def release(self, *, at: float) -> None:
        """Moves back to the position before the oval."""
        self._guide.release(at=at)


class SimulatedPhone:
    """Implements ``facegate_client.FrameSource`` and ``facegate_client.FlashScreen`` for one scan."""

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
        """Creates the phone.

        Args:
            frames: Renders one frame after the other, each in the light of ``light`` at that time.
            light: The screen.
            label: Name of the camera for people.
            frames_per_second: Mean rate of ``frames``.
            locks_exposure: Whether the app locks exposure or white balance.
            guide: Instructs the person in ``frames``; without one the phone draws no oval.
            find_faces: Lets the person see their face on the screen; without it they fill ovals by guess.
        """
        self._frames = frames
        self._time = _PhoneTime(frames_per_second=frames_per_second)
        self._screen = _PhoneScreen(light, self._time)
        self._onlooker = None if guide is None else _Onlooker(guide, find_faces)
        self._camera = CameraDescription(
            label=label,
            frames_per_second=frames_per_second,
            timestamp_source="simulated",
            reports_exposure=True,
            locks_exposure=locks_exposure,
        )
        self._closed = False

    @classmethod
    def in_hand(
        cls, photo: Photo, settings: FlashScanSettings, *, find_faces: FindFaces | None = None
    ) -> Self:
        """Return a phone in front of a person or an attacker, at the beginning of a scan.

        Args:
            photo: The person, or the victim of the attack.
            settings: Settings of the scan.
            find_faces: Lets the person see their face on the screen, to fill an oval.
        """
        light, guide = ScreenLight(settings.phone, seed=settings.seed), AppGuide(seed=settings.seed)
        return cls(
            simulate_flash_scan(photo, settings, light, guide),
            light,
            label=f"simulated {settings.kind}",
            frames_per_second=settings.frames_per_second,
            locks_exposure=settings.camera.exposure_locked or settings.camera.white_balance_locked,
            guide=guide,
            find_faces=find_faces,
        )

    # -- the camera

    @property
    def camera(self) -> CameraDescription:
        """The description of the camera."""
        return self._camera

    @property
    def pace(self) -> Pace:
        """Always real time."""
        return "realtime"

    def begin_attempt(self) -> None:
        """Stops simulated time, and moves the person back to the position before an oval."""
        if self._onlooker is not None:
            self._onlooker.release(at=self._time.rendered)
        self._time.stand_still()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Returns the next frame, rendered when it is due, with each colour that had appeared before.

        Raises:
            StopAsyncIteration: The scan is complete.
        """
        if self._closed:
            raise StopAsyncIteration
        offset_us = await self._time.until_due()
        frame = await asyncio.to_thread(self._next_frame)
        if frame is None:
            raise StopAsyncIteration
        captured_us = self._time.take(frame.capture_time, offset_us=offset_us)
        return CapturedImage(
            image=frame.pixels,
            capture_time_us=captured_us,
            exposure=None if frame.exposure is None else _exposure(frame.exposure),
        )

    def _next_frame(self) -> SimulatedFrame | None:
        frame = next(self._frames, None)
        if frame is not None and self._onlooker is not None:
            self._onlooker.look_at(frame)
        return frame

    async def aclose(self) -> None:
        """Closes the phone. May be called twice."""
        self._closed = True

    # -- the screen

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The profile of the screen."""
        return self._screen.profile

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """Scrolling, and what a person follows, if there is one: ovals, and requests for gestures."""
        scroll = scan_pb2.CAPABILITY_FLASH_SCROLL
        if self._onlooker is None:
            return (scroll,)
        gestures = scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD
        return scroll, scan_pb2.CAPABILITY_OVAL_CHANGE, *gestures

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Shows a colour on the screen now."""
        self._screen.show(step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Lets the person fill an oval."""
        if self._onlooker is not None:
            self._onlooker.fill(change, at=self._time.now)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Lets the person blink, turn the head or open the mouth, as the hint demands."""
        if self._onlooker is not None:
            self._onlooker.hear(feedback, at=self._time.now)

    def restore(self) -> None:
        """Restores the content of the screen before the flash."""
        self._screen.restore()

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the step on display at the capture of a frame, as the app knows it."""
        return self._screen.displayed(capture_time_us)


def _exposure(exposure: SimulatedExposure) -> Exposure:
    return Exposure(
        exposure_time_ns=round(exposure.exposure_seconds * 1e9),
        iso=exposure.iso,
        white_balance_kelvin=exposure.white_balance_kelvin,
        rolling_shutter_skew_ns=round(exposure.rolling_shutter_seconds * 1e9),
        exposure_locked=exposure.exposure_locked,
        white_balance_locked=exposure.white_balance_locked,
    )


def _now_us() -> int:
    return time.monotonic_ns() // 1000
