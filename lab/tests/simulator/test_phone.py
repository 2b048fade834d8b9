"""A simulated phone as the client's camera and screen: frames show the colours that they claim."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from facegate.v1 import feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from PIL import Image

import vision.packs
from facegate_client import CapturedImage, SourceError
from formats.exposure import ExposureClaim
from lab.simulator import (
    AppGuide,
    PhoneSettings,
    ScreenLight,
    SimulatedFrame,
    builtin_photos,
)
from lab.simulator.app_guide import RestingFace
from lab.simulator.geometry import ReliefPose
from lab.simulator.phone import (
    SimulatedPhone,
    WorldTime,
    needs_screen,
    open_simulated,
    open_simulated_phone,
)
from lab.simulator.tinted_phone import TintedFrames, TintedPhone, tinted
from matcher.records import RecordVersion, build_record, serialise
from tests.packs import real_pack, shared_pack
from vision.face import Box, DetectedFace

_RATE = 50.0
_EXPOSURE = ExposureClaim(
    exposure_time_ns=10_000_000,
    iso=200,
    white_balance_kelvin=4000,
    rolling_shutter_skew_ns=20_000_000,
    exposure_locked=True,
    white_balance_locked=False,
)


class _Rendered:
    """Frames with the light of the screen at the time of their capture as pixels."""

    def __init__(self, light: ScreenLight, count: int) -> None:
        self._light = light
        self._count = count

    def __iter__(self) -> Iterator[SimulatedFrame]:
        for index in range(self._count):
            at = index / _RATE
            band = self._light.bands(np.array([at]), bands=1)[0, 0]
            full = self._light.settings.luminance * self._light.settings.coverage
            pixels = np.full((8, 8, 3), np.round(255 * band / full), np.uint8)
            yield SimulatedFrame(pixels, at, _EXPOSURE)


def _phone(count: int = 200) -> SimulatedPhone:
    light = ScreenLight(
        PhoneSettings(latency_jitter_seconds=0.0, hidden_seconds=0.0, panel_seconds=0.0, idle_grey=0.0)
    )
    return SimulatedPhone(
        iter(_Rendered(light, count)),
        light,
        label="simulated",
        frames_per_second=_RATE,
    )


def _step(number: int, level: int) -> scan_pb2.FlashStep:
    return scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=level, green=level, blue=level),
        minimum_hold=Duration(nanos=350_000_000),
    )


def _level(image: CapturedImage) -> int:
    assert isinstance(image.image, np.ndarray)
    return int(image.image[0, 0, 0])


async def test_a_colour_lies_on_the_frames_that_claim_it() -> None:
    phone = _phone()
    phone.begin_attempt()
    seen = []
    for index in range(60):
        if index == 10:
            phone.show_step(_step(4, 255))
        if index == 35:
            phone.show_step(_step(5, 128))
        image = await anext(phone)
        seen.append((image, phone.displayed(image.capture_time_us)))
    numbers = [shown.number for _, shown in seen]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 4, 5}
    for image, shown in seen:
        assert _level(image) == {0: 0, 4: 255, 5: 55}[shown.number]
        assert (shown.since_us > 0) is (shown.number > 0)
        assert shown.since_us <= image.capture_time_us
    # The appearance time of a step does not change once it was claimed.
    assert len({shown for _, shown in seen}) == 3
    times = [image.capture_time_us for image, _ in seen]
    assert all(later > time for time, later in pairwise(times))
    await phone.aclose()


async def test_a_frame_keeps_its_claim_when_the_next_one_is_late() -> None:
    phone = _phone()
    phone.begin_attempt()
    await anext(phone)
    phone.show_step(_step(1, 255))
    image = await anext(phone)
    while (claim := phone.displayed(image.capture_time_us)).number == 0:
        image = await anext(phone)
    await asyncio.sleep(0.5)
    # A client claims a frame's step once the frame is encoded, and awaits the next frame meanwhile.
    following = asyncio.create_task(anext(phone))
    await asyncio.sleep(0)
    assert phone.displayed(image.capture_time_us) == claim
    assert phone.displayed((await following).capture_time_us) == claim
    await phone.aclose()


async def test_the_screen_returns_to_normal_and_counts_no_step_for_it() -> None:
    phone = _phone()
    phone.begin_attempt()
    await anext(phone)
    phone.restore()
    phone.show_step(_step(1, 255))
    image = [await anext(phone) for _ in range(15)][-1]
    assert phone.displayed(image.capture_time_us).number == 1
    phone.restore()
    image = [await anext(phone) for _ in range(15)][-1]
    assert phone.displayed(image.capture_time_us).number == 0
    assert _level(image) == 0
    await phone.aclose()


async def test_a_second_attempt_goes_on_later_on_the_same_clock() -> None:
    phone = _phone(40)
    phone.begin_attempt()
    before = await anext(phone)
    phone.begin_attempt()
    after = await anext(phone)
    assert after.capture_time_us > before.capture_time_us
    images = [image async for image in phone]
    assert len(images) == 38
    await phone.aclose()
    await phone.aclose()


async def test_the_phone_states_its_camera_settings_and_screen() -> None:
    phone = _phone()
    assert phone.pace == "realtime"
    assert phone.camera.reports_exposure
    assert phone.capabilities == (scan_pb2.CAPABILITY_FLASH_SCROLL,)
    assert phone.profile.width_mm == 65
    phone.begin_attempt()
    exposure = (await anext(phone)).exposure
    assert exposure is not None
    assert (exposure.exposure_time_ns, exposure.iso, exposure.exposure_locked) == (10_000_000, 200, True)
    await phone.aclose()


async def test_a_screen_that_returns_to_normal_late_does_not_hold_up_the_next_colour() -> None:
    phone = _phone()
    phone.begin_attempt()
    phone.show_step(_step(1, 255))
    [await anext(phone) for _ in range(10)]
    await asyncio.sleep(0.5)
    phone.restore()
    phone.begin_attempt()
    phone.show_step(_step(2, 128))
    image = [await anext(phone) for _ in range(8)][-1]
    assert phone.displayed(image.capture_time_us).number == 2
    assert _level(image) == 55
    await phone.aclose()


_FACE = DetectedFace(
    box=Box(2, 2, 6, 6),
    confidence=1.0,
    five_points=np.array([[3, 3], [5, 3], [4, 4], [3, 5.3], [5, 5.3]], np.float32),
)


def _phone_with_ovals(guide: AppGuide) -> SimulatedPhone:
    light = ScreenLight(PhoneSettings())
    return SimulatedPhone(
        iter(_Rendered(light, 200)),
        light,
        label="simulated",
        frames_per_second=_RATE,
        guide=guide,
        find_faces=lambda picture: [_FACE],
    )


async def test_the_simulated_person_follows_an_oval_and_then_moves_back() -> None:
    guide = AppGuide(seed=2)
    phone = _phone_with_ovals(guide)
    for capability in (scan_pb2.CAPABILITY_OVAL_CHANGE, scan_pb2.CAPABILITY_OPEN_MOUTH):
        assert capability in phone.capabilities
        assert capability not in _phone().capabilities
    phone.begin_attempt()
    await anext(phone)
    oval = scan_pb2.Oval(center_x=0.4, center_y=0.5, width=0.8, height=0.6)
    phone.show_oval(scan_pb2.OvalChange(oval=oval, transition_duration=Duration(nanos=100_000_000), change=1))
    assert guide.placement(0.0, face=_RESTING).approach == 0
    assert guide.placement(3.0, face=_RESTING).approach == pytest.approx(0.375, abs=0.03)
    # The detected face is narrower than the oval, so the person comes closer.
    for _ in range(70):
        await anext(phone)
    assert guide.placement(3.0, face=_RESTING).approach > 0.42
    phone.begin_attempt()
    assert guide.placement(5.0, face=_RESTING) == ReliefPose()


_RESTING = RestingFace(width=0.5, outline_width=0.5, x=0.5, y=0.5, frame=(480, 640))


@pytest.mark.parametrize(
    ("code", "measured", "least"),
    [
        (feedback_pb2.FEEDBACK_CODE_BLINK, AppGuide.closure, 0.8),
        (feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH, AppGuide.opening, 0.55),
        (
            feedback_pb2.FEEDBACK_CODE_TURN_HEAD_SLIGHTLY,
            lambda guide, time: guide.placement(time, face=_RESTING).yaw,
            7,
        ),
    ],
)
async def test_the_simulated_person_does_what_is_requested(
    code: "feedback_pb2.FeedbackCode.ValueType", measured: Callable[[AppGuide, float], float], least: float
) -> None:
    guide = AppGuide(seed=2)
    phone = _phone_with_ovals(guide)
    await anext(phone)
    times = np.arange(0, 5, 1 / 24)
    phone.show_hint(feedback_pb2.Feedback(code=feedback_pb2.FEEDBACK_CODE_HOLD_STILL))
    assert max(measured(guide, float(time)) for time in times) == 0
    phone.show_hint(feedback_pb2.Feedback(code=code))
    assert max(measured(guide, float(time)) for time in times) > least
    await phone.aclose()


async def test_an_attempt_may_begin_while_a_frame_is_waited_for() -> None:
    phone = _phone()
    first = await anext(phone)
    waiting = asyncio.create_task(anext(phone))
    await asyncio.sleep(0)
    phone.begin_attempt()
    assert first.capture_time_us < (await waiting).capture_time_us < (await anext(phone)).capture_time_us


@pytest.fixture
def _loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision.packs, "load_pack", shared_pack)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pack = real_pack()
    (person,) = builtin_photos(
        detector=pack.detector, landmarker=pack.landmarker, names=("astronaut",)
    ).values()
    path = tmp_path_factory.mktemp("photo") / "person.png"
    cv2.imwrite(str(path), person.pixels)
    return path


@pytest.mark.usefixtures("_loaded_once")
async def test_simulated_person_is_a_source(photo: Path) -> None:
    source = open_simulated("genuine", photo, seed=1)
    source.begin_attempt()
    first, second = await anext(source), await anext(source)
    assert isinstance(first.image, np.ndarray)
    assert first.image.shape == (640, 480, 3)
    assert second.capture_time_us > first.capture_time_us
    assert source.camera.label == "simulated genuine"
    await source.aclose()


@pytest.mark.usefixtures("_loaded_once")
def test_a_photo_may_be_of_any_format_that_is_known_or_come_in_a_facial_record(
    photo: Path, tmp_path: Path
) -> None:
    coded, record = tmp_path / "person.jp2", tmp_path / "person.fac"
    with Image.open(photo) as picture:
        picture.save(coded, format="JPEG2000")
    record.write_bytes(serialise(build_record(photo.read_bytes(), version=RecordVersion.ISO_19794_5_2011)))
    for path in (coded, record):
        source = open_simulated("genuine", path, seed=1)
        assert source.camera.label == "simulated genuine"
        asyncio.run(source.aclose())


@pytest.mark.usefixtures("_loaded_once")
def test_an_empty_image_cannot_be_simulated(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((200, 200, 3), 128, np.uint8))
    for content in (path.read_bytes(), b"FAC\x00030\x00 and no record", b"no picture"):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="no person can be simulated"):
            open_simulated("genuine", path, seed=1)
    with pytest.raises(SourceError, match="cannot be read"):
        open_simulated("genuine", tmp_path / "missing.png", seed=1)


@pytest.mark.usefixtures("_loaded_once")
async def test_a_simulated_phone_is_a_source_with_a_screen(photo: Path) -> None:
    phone = open_simulated_phone("genuine", photo, seed=1)
    phone.begin_attempt()
    first, second = await anext(phone), await anext(phone)
    assert isinstance(first.image, np.ndarray)
    assert first.image.shape == (640, 480, 3)
    assert second.capture_time_us > first.capture_time_us
    assert phone.displayed(second.capture_time_us).number == 0
    await phone.aclose()


@pytest.mark.usefixtures("_loaded_once")
def test_kinds_that_are_none_are_reported(photo: Path) -> None:
    with pytest.raises(SourceError, match=r"'injected-tint' .* without a flash.*with one: .*injected-tint"):
        open_simulated("injected-tint", photo, seed=1)
    with pytest.raises(SourceError, match=r"'looped-clip' .* with a flash.*without one: .*looped-clip"):
        open_simulated_phone("looped-clip", photo, seed=1)


@pytest.mark.usefixtures("_loaded_once")
@pytest.mark.parametrize(
    ("kind", "needs"), [("injected-tint", True), ("genuine", False), ("looped-clip", False), ("x", False)]
)
def test_kinds_that_are_about_the_flash_need_a_screen(kind: str, needs: bool) -> None:
    assert needs_screen(kind) is needs


async def test_a_shared_time_stands_still_for_a_late_frame_and_never_runs_backwards() -> None:
    world = WorldTime()
    light = ScreenLight(PhoneSettings())
    phone = SimulatedPhone(
        iter(_Rendered(light, 6)), light, label="late", frames_per_second=_RATE, world=world
    )
    phone.begin_attempt()
    captured, read = [], [world.monotonic()]
    async for image in phone:
        captured.append(image.capture_time_us)
        for _ in range(20):
            read.append(world.monotonic())
            await asyncio.sleep(0.01)
    assert len(captured) == 6
    # Each frame was asked for 0.2 s after the one before, and is due a frame's time after it.
    assert all(later - earlier == round(1e6 / _RATE) for earlier, later in pairwise(captured))
    assert read == sorted(read)
    await phone.aclose()
    before = world.monotonic()
    await asyncio.sleep(0.3)
    assert world.monotonic() - before >= 0.3


# The benchmark's phone: the light of its screen on its frames, real time, and true claims.

_GREY = np.full((16, 16, 3), 200, np.uint8)
_WHITE, _ORANGE = (255, 255, 255), (255, 128, 0)


def _mean(jpeg: bytes) -> list[float]:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return [float(value) for value in pixels.reshape(-1, 3).mean(axis=0)]


def test_a_colour_scales_its_channels() -> None:
    assert (tinted(_GREY, _WHITE) == 200).all()
    blue, green, red = tinted(_GREY, (255, 0, 128))[0, 0]
    assert red == 200
    assert green < blue < red
    assert (tinted(_GREY, None) == green).all()


def test_every_picture_is_there_in_every_colour_and_in_the_dark() -> None:
    darker = (_GREY // 2).astype(np.uint8)
    frames = TintedFrames([_GREY, darker], colours=[_WHITE, _ORANGE])
    assert len(frames) == 2
    assert _mean(frames.jpeg(0, _WHITE)) == pytest.approx([200.0] * 3, abs=2)
    assert _mean(frames.jpeg(1, _WHITE)) == pytest.approx([100.0] * 3, abs=2)
    blue, green, red = _mean(frames.jpeg(0, _ORANGE))
    assert blue < green < red
    assert _mean(frames.jpeg(0, None)) == pytest.approx([90.0] * 3, abs=2)
    for number, colour in ((2, _WHITE), (0, (1, 2, 3))):
        with pytest.raises(KeyError):
            frames.jpeg(number, colour)


def _tinted_phone(frames: int, *, frames_per_second: float) -> TintedPhone:
    pictures = TintedFrames([_GREY] * frames, colours=[_WHITE])
    return TintedPhone(pictures, frames_per_second=frames_per_second)


def _brightness(image: CapturedImage) -> float:
    assert isinstance(image.image, bytes)
    pixels = cv2.imdecode(np.frombuffer(image.image, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return float(pixels.mean())


async def _frames_of(phone: TintedPhone, count: int) -> list[CapturedImage]:
    return [await anext(phone) for _ in range(count)]


async def test_frames_come_in_real_time_and_none_before_it_was_captured() -> None:
    # Longer than a busy machine holds the test up, because frames that were due meanwhile are not captured.
    phone = _tinted_phone(1000, frames_per_second=50.0)
    began = time.monotonic_ns() // 1000
    frames = await _frames_of(phone, 5)
    times = [frame.capture_time_us for frame in frames]
    assert times == sorted(set(times))
    assert times[0] >= began
    assert times[-1] <= time.monotonic_ns() // 1000
    assert 1 <= len([frame async for frame in _tinted_phone(2, frames_per_second=50.0)]) <= 2


async def test_a_colour_is_claimed_at_once_and_seen_a_little_later() -> None:
    phone = _tinted_phone(1000, frames_per_second=100.0)
    (before,) = await _frames_of(phone, 1)
    assert phone.displayed(before.capture_time_us).number == 0
    phone.show_step(scan_pb2.FlashStep(step=3, color=scan_pb2.Rgb(red=255, green=255, blue=255)))
    await asyncio.sleep(0.12)
    (after,) = await _frames_of(phone, 1)
    shown = phone.displayed(after.capture_time_us)
    assert shown.number == 3
    assert before.capture_time_us < shown.since_us <= after.capture_time_us
    assert _brightness(before) < 100
    assert _brightness(after) > 195
    phone.restore()
    assert phone.displayed(time.monotonic_ns() // 1000 + 1).number == 0
