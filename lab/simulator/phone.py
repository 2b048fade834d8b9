"""Simulated persons and attackers in front of a phone, as sources of frames for the reference client.

The phone is the client's source of frames, and the client's screen. Its time runs with the computer's clock.
If rendering is slower than real time, simulated time slows down: the phone then seems to move and to flash
more slowly. A server in the same process can share a ``WorldTime`` with the phone: then time stands still
for both instead. The capture clock never runs ahead, and never backwards.

The scans of `facegate verify --simulate` need the `embedded` extra, for its landmarks. This module,
``tinted_phone`` beside it and ``devices.client`` are all of the simulator that knows the client.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import (
    CameraDescription,
    CapturedImage,
    DisplayedStep,
    Exposure,
    FrameSource,
    Pace,
    Pixels,
    SourceError,
    generated_source,
)
from formats.image_format import ImageFormat
from lab.simulator import (
    AppGuide,
    FlashKind,
    FlashScanSettings,
    Photo,
    ScanKind,
    SceneSettings,
    ScreenLight,
    Side,
    SimulatedFrame,
    SimulatorError,
    photo_from_image,
    simulate_flash_scan,
    simulate_scan,
)
from liveness import Oval, face_extent
from matcher import TrustedImageRefused
from matcher.records import Representations, open_trusted_image
from vision import packs
from vision.errors import VisionError
from vision.face import BgrImage, DetectedFace
from vision.image import DecodeLimits, decode_image, encode_jpeg
from vision.isolation.pool import DecoderPool

_FRAMES_A_LOOK = 5
_LATE_US = 20_000
_NOTHING = 0
_PIXELS_PER_MM = 16.0

FindFaces = Callable[[BgrImage], Sequence[DetectedFace]]
"""Detects the faces of a frame, largest first."""


class WorldTime:
    """A monotonic clock that stands still while a phone is late with a frame, as on a busy computer.

    It stands for at most some seconds a frame: whoever waits for time to pass, not for a frame, goes on.
    """

    _LONGEST_SECONDS = 5.0

    def __init__(self) -> None:
        self._behind = 0.0
        self._frame_due: float | None = None

    def monotonic(self) -> float:
        """The time in seconds."""
        now = time.monotonic() - self._behind
        if self._frame_due is None or now <= self._frame_due:
            return now
        return max(self._frame_due, now - self._LONGEST_SECONDS)

    def expect_frame(self, due: float | None) -> None:
        """Let time pass until the next frame is due; ``None``: no frame is expected."""
        self._behind = time.monotonic() - self.monotonic()
        self._frame_due = due


class _PhoneTime:
    """Decides when each frame of a simulated phone is due, and gives it a time on the capture clock."""

    def __init__(self, *, frames_per_second: float, world: WorldTime | None) -> None:
        """Start before the first frame.

        Args:
            frames_per_second: Mean rate of the frames.
            world: The time outside; ``None``: the computer's clock.
        """
        self._world = world
        self._interval_us = round(1e6 / frames_per_second)
        self._offset_us: int | None = None
        self._offsets: list[tuple[int, int]] = []  # with the capture time of the first frame of each
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
        return min(due, max(self._rendered_us, self._now_us() - self._offset_us)) / 1e6

    def stand_still(self) -> None:
        """Stop simulated time until the next frame is requested."""
        self._offset_us = None
        if self._world is not None:
            self._world.expect_frame(None)

    async def until_due(self) -> int:
        """Wait until the next frame is due.

        Returns:
            The offset of the capture clock from simulated time, microseconds, to pass to ``take``.
        """
        due = self._rendered_us + self._interval_us
        now = self._now_us()
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
        """Return the capture time of a frame, microseconds of the capture clock.

        Args:
            rendered: Time of its rendering, simulated seconds.
            offset_us: The value that ``until_due`` returned before it.
        """
        self._rendered_us = round(rendered * 1e6)
        self._last_us = max(self._last_us + 1, self._rendered_us + offset_us)
        if not self._offsets or self._offsets[-1][1] != offset_us:
            self._offsets.append((self._last_us, offset_us))
        if self._world is not None and self._offset_us is not None:
            self._world.expect_frame((self._last_us + self._interval_us) / 1e6)
        return self._last_us

    def offset_at(self, capture_time_us: int) -> int:
        """Return the offset with which a frame was taken: that of now may be of a later frame."""
        return next((offset for since, offset in reversed(self._offsets) if since <= capture_time_us), 0)

    def _now_us(self) -> int:
        return round((time.monotonic() if self._world is None else self._world.monotonic()) * 1e6)


class _PhoneScreen:
    """A screen that lights the face in front of it."""

    def __init__(self, light: ScreenLight, time: _PhoneTime) -> None:
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
        """Show a colour from now on."""
        scroll_s = 0.0
        if step.transition == scan_pb2.TRANSITION_SCROLL_DOWN:
            duration = step.transition_duration
            scroll_s = duration.seconds + duration.nanos / 1e9
        colour = (step.color.red, step.color.green, step.color.blue)
        self._steps.append(step.step)
        self._light.show(colour, at=self._time.now, scroll_seconds=scroll_s)

    def restore(self) -> None:
        """Restore the content before the flash."""
        if self._steps and self._steps[-1] != _NOTHING:
            self._steps.append(_NOTHING)
            self._light.restore(at=self._time.now)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Return the step on display at the capture of a frame, as the app knows it."""
        offset_us = self._time.offset_at(capture_time_us)
        number, since = self._light.appeared((capture_time_us - offset_us) / 1e6)
        step = self._steps[number - 1] if number else _NOTHING
        if step == _NOTHING:
            return DisplayedStep()
        return DisplayedStep(step, self._since_us.setdefault(number, round(since * 1e6) + offset_us))


class _Onlooker:
    """The simulated person in front of the phone, who follows its instructions on the screen."""

    def __init__(self, guide: AppGuide, find_faces: FindFaces | None) -> None:
        self._guide = guide
        self._find_faces = find_faces
        self._rendered = 0

    def look_at(self, frame: SimulatedFrame) -> None:
        """Look at a frame on the screen: every few frames, and only if the app has given an instruction."""
        if not self._guide.asks or self._find_faces is None:
            return
        self._rendered += 1
        if self._rendered % _FRAMES_A_LOOK == 0 and (faces := self._find_faces(frame.pixels)):
            tall, wide = frame.pixels.shape[:2]
            self._guide.show_position(face_extent(faces[0]), frame=(wide, tall), at=frame.capture_time)

    def fill(self, change: scan_pb2.OvalChange, *, at: float) -> None:
        """Fill an oval."""
        shown, duration = change.oval, change.transition_duration
        self._guide.fill(
            Oval(shown.center_x, shown.center_y, shown.width, shown.height),
            at=at,
            seconds=duration.seconds + duration.nanos / 1e9,
        )

    def hear(self, feedback: feedback_pb2.Feedback, *, at: float) -> None:
        """Blink, turn the head or open the mouth, as the hint demands."""
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
        """Move back to the position before the oval."""
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
        world: WorldTime | None = None,
    ) -> None:
        """Create the phone.

        Args:
            frames: Renders one frame after the other, each in the light of ``light`` at that time.
            label: Name of the camera for people.
            frames_per_second: Mean rate of ``frames``.
            locks_exposure: Whether the app locks exposure or white balance.
            guide: Instructs the person in ``frames``; without one the phone draws no oval.
            find_faces: Lets the person see their face on the screen; without it they fill ovals by guess.
            world: The time that the phone shares with a server in this process.
        """
        self._frames = frames
        self._time = _PhoneTime(frames_per_second=frames_per_second, world=world)
        self._screen = _PhoneScreen(light, self._time)
        self._onlooker = None if guide is None else _Onlooker(guide, find_faces)
        self.camera = CameraDescription(
            label=label,
            frames_per_second=frames_per_second,
            timestamp_source="simulated",
            reports_exposure=True,
            locks_exposure=locks_exposure,
        )
        """The description of the camera."""
        self._closed = False

    @classmethod
    def in_hand(
        cls,
        photo: Photo,
        settings: FlashScanSettings,
        *,
        find_faces: FindFaces | None = None,
        world: WorldTime | None = None,
    ) -> Self:
        """Return a phone in front of a person or an attacker, at the beginning of a scan.

        Args:
            photo: The person, or the victim of the attack.
            find_faces: Lets the person see their face on the screen, to fill an oval.
            world: The time that the phone shares with a server in this process.
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
            world=world,
        )

    # -- the camera

    @property
    def pace(self) -> Pace:
        """Always real time."""
        return "realtime"

    def begin_attempt(self) -> None:
        """Stop simulated time, and move the person back to the position before an oval."""
        if self._onlooker is not None:
            self._onlooker.release(at=self._time.rendered)
        self._time.stand_still()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Return the next frame, rendered when it is due, with each colour that had appeared before.

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
            exposure=None if frame.exposure is None else Exposure(**asdict(frame.exposure)),
        )

    def _next_frame(self) -> SimulatedFrame | None:
        frame = next(self._frames, None)
        if frame is not None and self._onlooker is not None:
            self._onlooker.look_at(frame)
        return frame

    async def aclose(self) -> None:
        """Close the phone. May be called twice."""
        self._closed = True
        self._time.stand_still()

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
        """Show a colour on the screen now."""
        self._screen.show(step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Let the person fill an oval."""
        if self._onlooker is not None:
            self._onlooker.fill(change, at=self._time.now)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Let the person blink, turn the head or open the mouth, as the hint demands."""
        if self._onlooker is not None:
            self._onlooker.hear(feedback, at=self._time.now)

    def restore(self) -> None:
        """Restore the content of the screen before the flash."""
        self._screen.restore()

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Return the step on display at the capture of a frame, as the app knows it."""
        return self._screen.displayed(capture_time_us)


_PHOTO_BYTES = 20_000_000
_SECONDS = 8.0
_FLASH_SECONDS = 60.0
"""Enough for several attempts; frames are made only on demand."""


def needs_screen(kind: str) -> bool:
    """Return whether a kind concerns the screen's light, and so needs a phone with a screen."""
    return kind not in set(ScanKind) and kind in set(FlashKind)


def scan_settings(kind: ScanKind, *, seed: int) -> SceneSettings:
    """Return the default settings of a simulated scan without a flash."""
    return SceneSettings(kind=kind, seed=seed, seconds=_SECONDS)


def flash_settings(kind: FlashKind, *, seed: int) -> FlashScanSettings:
    """Return the default settings of a simulated scan with a flash."""
    return FlashScanSettings(kind=kind, seed=seed, seconds=_FLASH_SECONDS)


def open_simulated(kind: str, photo: Path, *, seed: int) -> FrameSource:
    """Simulate a person or an attacker in front of a camera.

    Args:
        kind: A `lab.simulator.ScanKind`, such as ``genuine`` or ``waved-photo``.
        photo: A photo with one large face, or a facial record with such a photo.
        seed: Seed of the differences between scans.

    Raises:
        SourceError: There is no such kind, or no head can be made from the photo.
    """
    _check(kind, flashes=False)
    settings = scan_settings(ScanKind(kind), seed=seed)
    person = _person(photo)

    def frames() -> Iterator[tuple[Pixels, float]]:
        for frame in simulate_scan(person, settings):
            yield frame.pixels, frame.capture_time

    return generated_source(frames(), label=f"simulated {kind}", frames_per_second=settings.frames_per_second)


def open_simulated_phone(kind: str, photo: Path, *, seed: int) -> SimulatedPhone:
    """Simulate a person or an attacker in front of a phone with a screen that can flash.

    Args:
        kind: A `lab.simulator.FlashKind`, such as ``genuine`` or ``injected-tint``.
        photo: As for ``open_simulated``.
        seed: Seed of the differences between scans.

    Raises:
        SourceError: As for ``open_simulated``.
    """
    _check(kind, flashes=True)
    settings = flash_settings(FlashKind(kind), seed=seed)
    return SimulatedPhone.in_hand(_person(photo), settings, find_faces=_find_faces)


def _find_faces(picture: BgrImage) -> tuple[DetectedFace, ...]:
    """Detect the person's face on the screen."""
    return tuple(_embedded().detector.detect(picture))


@cache
def _embedded() -> packs.Pack:
    return packs.load_pack("embedded")


def _check(kind: str, *, flashes: bool) -> None:
    if kind not in tuple(FlashKind if flashes else ScanKind):
        raise SourceError(
            f"{kind!r} cannot be simulated {'with' if flashes else 'without'} a flash. Known without one: "
            f"{', '.join(ScanKind)}; with one: {', '.join(FlashKind)}"
        )


def _person(photo: Path) -> Photo:
    try:
        content = open_trusted_image(
            photo.read_bytes(), representations=Representations.FIRST, max_bytes=_PHOTO_BYTES
        )
        with DecoderPool() as decoder:
            decoded = decode_image(
                content.image,
                limits=DecodeLimits(max_bytes=_PHOTO_BYTES, max_pixels=50_000_000, max_side=12_000),
                formats=frozenset(ImageFormat),
                honour_exif_orientation=True,
                still_decoder=decoder,
            )
        pack = _embedded()
        if pack.landmarker is None:
            raise SourceError("the embedded pack has no landmarks, which a simulated head needs")
        return photo_from_image(decoded.pixels, detector=pack.detector, landmarker=pack.landmarker)
    except OSError as error:
        raise SourceError(f"the photo {photo} cannot be read: {error.strerror}") from error
    except (VisionError, SimulatorError, TrustedImageRefused) as error:
        raise SourceError(f"no person can be simulated from {photo}: {error}") from error


_TAPED_QUALITY = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class TapedFrame:
    """One frame of the camera.

    Attributes:
        jpeg: The bytes that are sent, unless the server requested smaller frames.
        time: Time of capture, seconds of the capture clock.
        step: The step on display at that time; 0 for none.
        since: Time of that step's appearance, seconds of the capture clock; None for none.
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


class TapedPhone(SimulatedPhone):
    """A simulated phone that sends JPEGs, and keeps them and the commanded steps of each attempt."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.attempts: list[TapedAttempt] = []

    def begin_attempt(self) -> None:
        """Begin an attempt, and its recording."""
        self.attempts.append(TapedAttempt())
        super().begin_attempt()

    async def __anext__(self) -> CapturedImage:
        """Return the next frame as a JPEG, and record it."""
        image = await super().__anext__()
        jpeg = await asyncio.to_thread(encode_jpeg, np.asarray(image.image), quality=_TAPED_QUALITY)
        shown = self.displayed(image.capture_time_us)
        if self.attempts:
            self.attempts[-1].frames.append(
                TapedFrame(
                    jpeg=jpeg,
                    time=image.capture_time_us / 1e6,
                    step=shown.number,
                    since=shown.since_us / 1e6 if shown.number else None,
                    exposure=image.exposure,
                )
            )
        return CapturedImage(image=jpeg, capture_time_us=image.capture_time_us, exposure=image.exposure)

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Show a colour, and record it."""
        if self.attempts:
            self.attempts[-1].steps.append(step)
        super().show_step(step)
