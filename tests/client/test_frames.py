"""Frames from a source to the wire, also those that show a step of the flash."""

import asyncio
import functools
import io
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from facegate.v1 import feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facegate_client import (
    CameraDescription,
    CapturedImage,
    Pace,
    Pixels,
    ProtocolViolatedError,
    Recording,
    ScanEvents,
    SourceError,
    generated_source,
    open_camera,
    open_image_folder,
    open_video,
)
from facegate_client.attempt import FrameFeed, FrameRules, StopSignal
from facegate_client.camera import CameraSource
from facegate_client.encoding import CaptureLimits, EncodedImage, JpegHeader, encode_image, read_jpeg_header
from facegate_client.flash_screen import SHORTEST_HOLD_S, DisplayedStep, FlashShow
from facegate_client.frame_source import FrameSource, QuarterTurn
from tests import films
from tests.client.fake_server import FakeServer, Send, StreamPlan
from tests.client.fakes import FAST, FakeScreen, pictures, scanned
from tests.vision.decoders import decode_video, decoders
from vision.face import BgrImage
from vision.isolation.video import VideoLimits


async def _all(source: FrameSource) -> list[CapturedImage]:
    source.begin_attempt()
    images = [image async for image in source]
    await source.aclose()
    return images


def _intervals(images: list[CapturedImage]) -> list[int]:
    return [b.capture_time_us - a.capture_time_us for a, b in itertools.pairwise(images)]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return _video(tmp_path, frames=10)


def _video(folder: Path, *, frames: int) -> Path:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), number % 10 * 20, np.uint8))
    writer.release()
    return path


async def test_video_gives_its_frames_at_the_containers_times(video: Path) -> None:
    source = open_video(video, pace="fast")
    assert (source.camera.width, source.camera.height) == (64, 48)
    assert source.camera.frames_per_second == pytest.approx(20.0)
    images = await _all(source)
    assert len(images) == 10
    assert _intervals(images) == pytest.approx([50_000] * 9, abs=1_000)
    shades = [float(np.asarray(image.image).mean()) for image in images if not isinstance(image.image, bytes)]
    assert shades == sorted(shades)
    assert len(shades) == 10


async def test_video_in_real_time_takes_its_time(video: Path) -> None:
    began = time.monotonic()
    images = await _all(open_video(video))
    assert time.monotonic() - began >= 0.4
    # A busy machine may lose the very last ones, which no image reports.
    last = round(float(np.asarray(images[-1].image).mean()) / 20)
    assert len(images) + sum(image.lost_before for image in images) == last + 1
    now_us = time.monotonic_ns() // 1000
    assert abs(images[-1].capture_time_us - now_us) < 10_000_000


async def test_late_frames_of_a_recording_are_lost_as_a_cameras_would_be(tmp_path: Path) -> None:
    # Longer than any pause of a busy machine.
    source = open_video(_video(tmp_path, frames=1200))
    source.begin_attempt()
    first = await anext(source)
    await asyncio.sleep(0.4)
    second = await anext(source)
    assert second.lost_before >= 2
    assert second.capture_time_us - first.capture_time_us >= 150_000
    await source.aclose()


async def test_recording_pauses_between_attempts(video: Path) -> None:
    source = open_video(video)
    source.begin_attempt()
    first = await anext(source)
    await asyncio.sleep(0.4)
    source.begin_attempt()
    second = await anext(source)
    # It is the anchor of the recording's times, so that nothing before it can be late.
    assert second.lost_before == 0
    assert second.capture_time_us - first.capture_time_us >= 400_000
    await source.aclose()


async def test_image_of_a_cancelled_wait_comes_next_and_closing_waits_for_the_reader() -> None:
    reading, closed_while_reading = False, None
    may_read = threading.Semaphore(0)

    def slow() -> Iterator[tuple[Pixels | bytes, int]]:
        nonlocal reading
        for picture, at in pictures(3):
            reading = True
            assert may_read.acquire(timeout=60)
            reading = False
            yield picture, round(at * 1_000_000)

    def close() -> None:
        nonlocal closed_while_reading
        closed_while_reading = reading

    camera = CameraDescription(label="slow")
    source = Recording(slow(), camera=camera, pace="fast", skip_late=False, close=close)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(source), timeout=0.02)
    may_read.release()
    first, second = await anext(source), asyncio.create_task(anext(source))
    assert not isinstance(first.image, bytes)
    assert np.array_equal(first.image, np.asarray(pictures(1)[0][0]))
    while not reading:  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    closing = asyncio.create_task(source.aclose())
    await asyncio.sleep(0.02)
    assert closed_while_reading is None
    may_read.release()
    await closing
    assert closed_while_reading is False


async def _shown(path: Path, data: bytes) -> tuple[FrameSource, list[BgrImage]]:
    await asyncio.to_thread(path.write_bytes, data)
    source = open_video(path, pace="fast")
    return source, [np.asarray(image.image) for image in await _all(source)]


def _difference(one: BgrImage, other: BgrImage) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("name", films.MATRICES)
async def test_video_is_turned_and_mirrored_as_its_file_says(tmp_path: Path, name: str) -> None:
    card, matrix = films.corner_card(), films.MATRICES[name]
    source, frames = await _shown(tmp_path / "a.mp4", films.film(card, matrix=matrix))
    expected = films.seen_through(matrix, card)
    assert len(frames) == 20
    assert _difference(frames[0], expected) < 4
    assert (source.camera.height, source.camera.width) == expected.shape[:2]


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize(("before", "after"), [(8, 20), (20, 8)])
async def test_video_has_its_usual_size(tmp_path: Path, codec: str, before: int, after: int) -> None:
    parts = [(films.corner_card(64, 48), before), (films.corner_card(96, 64), after)]
    source, frames = await _shown(tmp_path / "a.webm", films.resized_film(parts, codec=codec))
    card = max(parts, key=lambda part: part[1])[0]
    assert len(frames) == 20
    assert _difference(frames[-1], card) < 8
    assert {frame.shape for frame in frames} == {card.shape}
    assert (source.camera.height, source.camera.width) == card.shape[:2]


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("frames", [(5, 6), (6, 5), (5, 5), (1, 2), (2, 1), (3, 6, 3), (2, 6, 3), (2, 5, 4)])
async def test_client_and_server_use_the_same_size(
    tmp_path: Path, codec: str, frames: tuple[int, ...]
) -> None:
    cards = itertools.cycle([films.corner_card(64, 48), films.corner_card(96, 64)])
    data = films.resized_film(list(zip(cards, frames, strict=False)), codec=codec)
    source, shown = await _shown(tmp_path / "a.webm", data)
    first, second = sum(frames[::2]), sum(frames[1::2])
    assert (source.camera.width, source.camera.height) == ((64, 48) if first >= second else (96, 64))
    served = decode_video(decoders(), data, limits=VideoLimits()).frames
    assert len(served) == len(shown) == max(first, second)
    assert {frame.shape for frame in served} == {frame.shape for frame in shown}


async def test_video_has_square_pixels(tmp_path: Path) -> None:
    matrix = films.MATRICES["90 degrees"]
    data = films.film(films.corner_card(), pixel=Fraction(4, 3), matrix=matrix)
    _, frames = await _shown(tmp_path / "a.mp4", data)
    assert _difference(frames[0], films.seen_through(matrix, films.corner_card(128, 64))) < 6


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
async def test_hdr_video_is_shown_as_sdr(tmp_path: Path, transfer: Literal["hlg", "pq"]) -> None:
    card = np.full((64, 96, 3), (120, 150, 200), np.uint8)
    card[:, 48:] //= 3
    _, frames = await _shown(tmp_path / "a.mp4", films.hdr_film(card, transfer))
    assert _difference(frames[0], card) < 4


async def test_damaged_video_ends_where_reading_ends(tmp_path: Path) -> None:
    data = films.film(films.corner_card(), container="matroska")
    _, frames = await _shown(tmp_path / "a.mkv", data[:-150])
    assert 1 <= len(frames) < 20


@pytest.mark.parametrize("content", [None, b"", b"no video at all"])
def test_anything_but_a_video_raises_source_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError):
        open_video(path)


def test_still_image_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "01.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    with pytest.raises(SourceError, match="still image"):
        open_video(path)


async def test_folder_gives_images_by_name_and_jpegs_as_they_are(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    (tmp_path / "b.JPG").write_bytes(jpeg)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.full((8, 8, 3), 9, np.uint8))[1].tobytes())
    (tmp_path / "notes.txt").write_text("not an image")
    images = await _all(open_image_folder(tmp_path, frames_per_second=10, pace="fast"))
    assert isinstance(images[0].image, np.ndarray)
    assert images[1].image == jpeg
    assert _intervals(images) == [100_000]


@pytest.mark.parametrize(("content", "says"), [(b"no image", r"a\.png"), (None, "cannot be read")])
async def test_an_unreadable_image_in_a_folder_is_a_source_error(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    (tmp_path / "a.png").write_bytes(content or b"")
    source = open_image_folder(tmp_path, pace="fast")
    if content is None:
        (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match=says):
        await anext(source)
    await source.aclose()


def test_unusable_folders_are_source_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.jpg"):
        open_image_folder(tmp_path)
    with pytest.raises(SourceError, match="cannot be read"):
        open_image_folder(tmp_path / "missing")
    with pytest.raises(SourceError, match="above 0"):
        open_image_folder(tmp_path, frames_per_second=0)


async def test_generated_frames_keep_their_times_and_those_that_do_not_rise_are_made_to() -> None:
    picture = pictures(1)[0][0]
    times = [0.0, 0.04, 0.1, 0.1, 0.05]
    images = await _all(generated_source([(picture, at) for at in times], pace="fast"))
    assert _intervals(images) == [40_000, 60_000, 1, 1]


async def test_slow_generator_loses_nothing() -> None:
    made_us: list[int] = []

    def slow() -> Iterator[tuple[Pixels | bytes, float]]:
        for picture, at in pictures(3, fps=50):
            time.sleep(0.25)
            made_us.append(time.monotonic_ns() // 1000)
            yield picture, at

    images = await _all(generated_source(slow()))
    assert [image.lost_before for image in images] == [0, 0, 0]
    # The time of arrival, up to the 200 ms from which an image is late.
    assert made_us[-1] - 200_000 <= images[-1].capture_time_us <= time.monotonic_ns() // 1000


class _Capture:
    """Replaces OpenCV's capture of a camera."""

    def __init__(self, frames: int) -> None:
        self.left, self.released = frames, 0

    def get(self, _property: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, Pixels | None]:
        time.sleep(0.02)
        self.left -= 1
        return (False, None) if self.left < 0 else (True, np.full((4, 4, 3), self.left % 256, np.uint8))

    def release(self) -> None:
        self.released += 1


async def test_camera_gives_the_newest_image_and_counts_the_lost() -> None:
    capture = _Capture(10_000)
    source = CameraSource(capture, 0)  # type: ignore[arg-type]  # a stand-in for the hardware
    source.begin_attempt()
    first = await anext(source)
    left = capture.left
    while capture.left > left - 8:  # noqa: ASYNC110 - a thread counts
        await asyncio.sleep(0.02)
    second = await anext(source)
    assert second.lost_before >= 2
    assert second.capture_time_us > first.capture_time_us
    await source.aclose()
    await source.aclose()
    assert capture.released == 1


async def test_the_camera_discards_frames_from_before_the_attempt() -> None:
    source = CameraSource(_Capture(10_000), 0)  # type: ignore[arg-type]  # a stand-in for the hardware
    await anext(source)
    await asyncio.sleep(0.1)
    began_us = time.monotonic_ns() // 1000
    source.begin_attempt()
    image = await anext(source)
    assert image.lost_before == 0
    assert image.capture_time_us >= began_us
    await source.aclose()


async def test_camera_that_stops_is_a_source_error() -> None:
    source = CameraSource(_Capture(1), 0)  # type: ignore[arg-type]  # a stand-in for the hardware
    await anext(source)
    with pytest.raises(SourceError, match="no more"):
        await anext(source)
    await source.aclose()


async def test_missing_camera_is_a_source_error() -> None:
    with pytest.raises(SourceError, match="camera 99"):
        open_camera(99)


NOISE: Pixels = np.random.default_rng(3).integers(0, 255, (120, 90, 3), dtype=np.uint8)


def _jpeg(pixels: Pixels = NOISE, *, orientation: int = 1, mode: str = "RGB") -> bytes:
    image = Image.fromarray(pixels[:, :, ::-1]).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif, quality=90)
    return stream.getvalue()


def _size(encoded: EncodedImage) -> tuple[int, int]:
    with Image.open(io.BytesIO(encoded.jpeg)) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        return image.size


def test_colours_survive() -> None:
    blue = np.zeros((64, 64, 3), np.uint8)
    blue[:, :, 0] = 200
    encoded = encode_image(blue, limits=CaptureLimits())
    assert encoded is not None
    decoded = cv2.imdecode(np.frombuffer(encoded.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - blue).max() <= 4


@settings(max_examples=40, deadline=None)
@given(
    max_side=st.integers(16, 200),
    max_pixels=st.integers(300, 40_000),
    max_bytes=st.integers(1_500, 40_000),
    min_side=st.integers(1, 60),
    image=st.sampled_from([NOISE, _jpeg()]),
)
def test_every_limit_is_kept(
    max_side: int, max_pixels: int, max_bytes: int, min_side: int, image: Pixels | bytes
) -> None:
    limits = CaptureLimits(max_side=max_side, max_pixels=max_pixels, max_bytes=max_bytes, min_side=min_side)
    encoded = encode_image(image, limits=limits)
    if encoded is None:
        return
    assert max(encoded.width, encoded.height) <= max_side
    assert encoded.width * encoded.height <= max_pixels
    assert len(encoded.jpeg) <= max_bytes
    assert min(encoded.width, encoded.height) >= min_side
    assert _size(encoded) == (encoded.width, encoded.height)


def test_an_image_that_cannot_fit_is_not_encoded() -> None:
    assert encode_image(NOISE, limits=CaptureLimits(max_side=40, min_side=60)) is None
    assert encode_image(NOISE, limits=CaptureLimits(max_bytes=500, min_side=80)) is None
    assert encode_image(NOISE, limits=CaptureLimits(max_bytes=10)) is None


def test_image_below_the_smallest_side_is_left_to_the_server() -> None:
    encoded = encode_image(NOISE, limits=CaptureLimits(min_side=200))
    assert encoded is not None
    assert encoded.width == 90


def test_fitting_jpeg_goes_as_it_is() -> None:
    jpeg = _jpeg()
    encoded = encode_image(jpeg, limits=CaptureLimits())
    assert encoded is not None
    assert encoded.jpeg == jpeg
    assert (encoded.width, encoded.height) == (90, 120)


@pytest.mark.parametrize(
    ("jpeg", "size"),
    [
        (_jpeg(orientation=6), (120, 90)),
        (_jpeg(mode="L"), (90, 120)),
        (_jpeg(mode="CMYK"), (90, 120)),
    ],
    ids=["exif-turned", "grey", "cmyk"],
)
def test_other_jpegs_are_made_upright_and_colour(jpeg: bytes, size: tuple[int, int]) -> None:
    encoded = encode_image(jpeg, limits=CaptureLimits())
    assert encoded is not None
    assert encoded.jpeg != jpeg
    assert _size(encoded) == size


@pytest.mark.parametrize(
    ("captured", "rotation", "sent"),
    [
        ((1280, 720), 0, (1066, 600)),
        ((960, 720), 0, (800, 600)),
        ((640, 480), 0, (640, 480)),
        ((720, 1280), 0, (480, 853)),
        ((1280, 720), 90, (853, 480)),
        ((960, 1200), 0, (480, 600)),
    ],
)
def test_the_field_is_scaled_to_one_width(
    captured: tuple[int, int], rotation: QuarterTurn, sent: tuple[int, int]
) -> None:
    pixels = np.zeros((captured[1], captured[0], 3), np.uint8)
    for image in (pixels, _jpeg(pixels)):
        encoded = encode_image(image, limits=CaptureLimits(), rotation=rotation)
        assert encoded is not None
        assert _size(encoded) == sent


@pytest.mark.parametrize("content", [b"", b"not a jpeg", _jpeg()[:200], b"\x89PNG\r\n\x1a\n"])
def test_anything_but_a_jpeg_raises_source_error(content: bytes) -> None:
    with pytest.raises(SourceError):
        encode_image(content, limits=CaptureLimits(max_side=50))


@given(st.integers(0, 1400), st.integers(0, 700_000), st.floats(0, 60))
def test_limits_only_ever_fall(side: int, size: int, rate: float) -> None:
    before = CaptureLimits(max_frames_per_second=24)
    after = before.lowered(max_side=side, max_bytes=size, max_frames_per_second=rate)
    assert after.max_side == (min(side, 1280) if side else 1280)
    assert after.max_bytes == (min(size, 524_288) if size else 524_288)
    assert after.max_frames_per_second == (min(rate, 24) if rate else 24)


CAUSE = scan_pb2.AttemptEndBody.CAUSE_COMPLETE


class Slow:
    """A source that delivers an image on request of the test."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.camera = CameraDescription(label="slow")
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.asked = self.began = self.closed = 0

    def begin_attempt(self) -> None:
        self.began += 1

    def __aiter__(self) -> "Slow":
        return self

    async def __anext__(self) -> CapturedImage:
        self.asked += 1
        return CapturedImage(image=b"", capture_time_us=await self.queue.get())

    async def aclose(self) -> None:
        self.closed += 1


async def _stopped_while_waiting(feed: FrameFeed) -> None:
    stop = StopSignal()
    waiting = asyncio.create_task(feed.next(stop))
    await asyncio.sleep(0.01)
    stop.set(CAUSE)
    assert await waiting is None


async def test_image_that_was_waited_for_is_not_lost_in_fast() -> None:
    source = Slow("fast")
    feed = FrameFeed(source)
    feed.begin_attempt()
    await _stopped_while_waiting(feed)
    feed.begin_attempt()
    source.queue.put_nowait(1)
    image = await feed.next(StopSignal())
    assert image is not None
    assert (image.capture_time_us, source.asked) == (1, 1)
    await feed.aclose()


async def test_image_from_before_the_attempt_is_stale_in_real_time() -> None:
    source = Slow("realtime")
    feed = FrameFeed(source)
    feed.begin_attempt()
    await _stopped_while_waiting(feed)
    feed.begin_attempt()
    source.queue.put_nowait(1)
    source.queue.put_nowait(2)
    image = await feed.next(StopSignal())
    assert image is not None
    assert image.capture_time_us == 2
    await feed.aclose()


def _rules(*, rate: float = 0.0, frames: int = 0, scan_bytes: int = 0) -> FrameRules:
    budget = scan_pb2.CaptureBudget(max_frames_per_attempt=frames, max_scan_bytes=scan_bytes)
    return FrameRules(CaptureLimits(max_frames_per_second=rate), quality=85, budget=budget)


def test_images_are_thinned_out_to_the_highest_rate_with_some_play() -> None:
    rules = _rules(rate=10)
    times = [0, 33_000, 66_000, 99_000, 132_000, 180_000, 400_000, 433_000, 466_000]
    early = [False, True, True, False, True, False, False, False, True]
    assert [rules.too_early(time) for time in times] == early


@pytest.mark.parametrize(
    ("frames", "scan_bytes", "room"), [(9, 0, True), (10, 0, False), (0, 900, True), (0, 901, False)]
)
def test_a_budget_ends_by_frames_and_by_bytes(frames: int, scan_bytes: int, room: bool) -> None:
    rules = _rules(frames=10, scan_bytes=1000)
    assert rules.has_room(100, frames=frames, scan_bytes=scan_bytes) is room


def test_a_limit_of_zero_is_none() -> None:
    assert not any(_rules().too_early(time) for time in (0, 1, 2))
    assert _rules().has_room(10**9, frames=10**6, scan_bytes=10**9)


async def test_frames_that_had_to_be_scaled_down_stay_so() -> None:
    rules = _rules()
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    sizes = []
    for at, (pixels, most) in enumerate([(noise, 0), (noise, 60_000), (noise // 2, 0), (noise // 16, 0)]):
        rules.adjust(scan_pb2.CaptureAdjustment(max_frame_bytes=most))
        encoded = await rules.encode(CapturedImage(image=pixels, capture_time_us=at))
        assert encoded is not None
        sizes.append((encoded.width, encoded.height))
    assert sizes[0] == (640, 480) > sizes[1]
    assert sizes[1] == sizes[2] == sizes[3]


def _header_jpeg(mode: str = "RGB", *, exif: bytes | Image.Exif | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    options |= {} if exif is None else {"exif": exif}
    Image.new(mode, (90, 120)).save(stream, "JPEG", **options)
    return stream.getvalue()


def _oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_size_and_channels(mode: str, channels: int, progressive: bool) -> None:
    header = read_jpeg_header(_header_jpeg(mode, progressive=progressive))
    assert header == JpegHeader(width=90, height=120, channels=channels, bits=8)


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read_in_either_byte_order(value: int) -> None:
    assert read_jpeg_header(_header_jpeg(exif=_oriented(value))).orientation == value
    big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([value]) + bytes(6)
    assert read_jpeg_header(_header_jpeg(exif=big)).orientation == value


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0XX*\0\x08\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01",
        b"Exif\0\0II*\0\xff\xff\xff\xff\x01\0",
        b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x04\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0",
    ],
    ids=["empty", "byte-order", "cut-count", "offset", "cut-entry", "value", "type"],
)
def test_orientation_that_cannot_be_read_is_upright(exif: bytes) -> None:
    assert read_jpeg_header(_header_jpeg(exif=exif)).orientation == 1


def test_every_cut_before_the_first_scan_is_an_error() -> None:
    jpeg = _header_jpeg()
    for length in range(jpeg.index(b"\xff\xda") + 1):
        with pytest.raises(ValueError, match="JPEG"):
            read_jpeg_header(jpeg[:length])


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_a_value_error(tail: bytes) -> None:
    try:
        header = read_jpeg_header(b"\xff\xd8" + tail)
    except ValueError:
        return
    assert 0 <= header.width < 1 << 16
    assert 1 <= header.orientation <= 8


def test_the_first_exif_segment_counts_even_without_an_orientation() -> None:
    big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" + bytes(6)
    turned, empty = (
        b"\xff\xe1" + (2 + len(body)).to_bytes(2, "big") + body for body in (big, b"Exif\0\0MM\0*")
    )
    plain = _header_jpeg()
    assert read_jpeg_header(plain[:2] + turned + empty + plain[2:]).orientation == 6
    assert read_jpeg_header(plain[:2] + empty + turned + plain[2:]).orientation == 1


@pytest.mark.parametrize("stray", [b"\x00\x00", b"8BIM", b"\xff\x00\x07", b"\xff\xff\xff"])
def test_stray_bytes_between_segments_are_passed_over(stray: bytes) -> None:
    plain = _header_jpeg()
    second = plain.index(b"\xff\xdb")
    assert read_jpeg_header(plain[:second] + stray + plain[second:]) == read_jpeg_header(plain)


# A device with a screen: steps in order and for long enough, frames that name the displayed step.

_FLASH = scan_pb2.CAPABILITY_FLASH


def _step(number: int, *, hold_ms: int = 350, last: bool = False) -> scan_pb2.FlashStep:
    return scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=255, green=108, blue=108),
        transition=scan_pb2.TRANSITION_FLAT,
        minimum_hold=Duration(nanos=hold_ms * 1_000_000),
        last=last,
    )


_filmed = functools.partial(scanned, fps=20.0, pace="realtime", frames=1200)
"""A scan at the pace of a camera, that lasts for as long as the server likes."""


def _revealing(after: Sequence[int]) -> StreamPlan:
    """Reveal step n after a set number of frames, and grant credit until a frame names the last step."""

    async def act(frames: int, send: Send) -> None:
        if frames in after:
            number = after.index(frames) + 1
            last = number == len(after)
            await send(scan_pb2.ScanFaceResponse(flash_step=_step(number, last=last)))

    return StreamPlan(plan=scan_pb2.PLAN_FLASH, act=act, frames_wanted=after[-1] + 12)


async def test_a_declined_flash_is_not_shown_and_gets_no_frames() -> None:
    fake, declining = FakeServer(_revealing([2, 11])), replace(FAST, decline_flash=True, max_attempts=1)
    await _filmed(fake, screen=FakeScreen(), frames=20, settings=declining)
    assert fake.frames == []
    assert fake.ends[0].cause == scan_pb2.AttemptEndBody.CAUSE_CANCELLED


async def test_frames_state_the_displayed_step_and_its_time() -> None:
    fake, screen = FakeServer(_revealing([2, 11])), FakeScreen()
    await _filmed(fake, screen=screen)
    headers = [frame.header for frame in fake.frames]
    numbers = [header.flash_step for header in headers]
    assert numbers[:2] == [0, 0]
    assert sorted(set(numbers)) == [0, 1, 2]
    assert numbers == sorted(numbers)
    for number in (1, 2):
        since = {header.flash_step_since_us for header in headers if header.flash_step == number}
        assert len(since) == 1
        first = numbers.index(number)
        # The step appeared between this frame and the one before it.
        times = [header.capture_time_us for header in headers[first - 1 : first + 1]]
        assert times[0] < since.pop() <= times[1]
    assert all(header.flash_step_since_us == 0 for header in headers if header.flash_step == 0)


_GESTURES = {scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD}


@pytest.mark.parametrize(
    ("screen", "watched", "expected"),
    [
        (None, False, set()),
        (None, True, _GESTURES),
        (FakeScreen(oval=False), False, {_FLASH}),
        (FakeScreen(), False, {_FLASH, scan_pb2.CAPABILITY_OVAL_CHANGE}),
        (FakeScreen(oval=False, read=True), True, {_FLASH} | _GESTURES),
    ],
)
async def test_a_device_announces_once_what_its_screen_and_its_person_can(
    screen: FakeScreen | None, watched: bool, expected: set[int]
) -> None:
    fake, events = FakeServer(StreamPlan(frames_wanted=2)), ScanEvents()
    events.shows_hints = watched
    await _filmed(fake, screen=screen, frames=40, events=events)
    (start,) = fake.starts
    always = {scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT, scan_pb2.CAPABILITY_READY}
    assert sorted(start.capabilities) == sorted(always | expected)
    assert start.HasField("screen") is (screen is not None)


async def test_the_oval_moves_where_it_was_announced() -> None:
    async def act(frames: int, send: Send) -> None:
        if frames == 2:
            change = scan_pb2.OvalChange(oval=scan_pb2.Oval(width=0.8, height=0.9), change=1)
            await send(scan_pb2.ScanFaceResponse(oval_change=change))

    plan = StreamPlan(plan=scan_pb2.PLAN_MOVEMENT, act=act, frames_wanted=6)
    screen = FakeScreen()
    await _filmed(FakeServer(plan), screen=screen, frames=200)
    assert [change.change for change in screen.ovals] == [1]
    with pytest.raises(ProtocolViolatedError, match="PLAN_MOVEMENT"):
        await _filmed(FakeServer(plan), screen=FakeScreen(oval=False), frames=200)


@pytest.mark.parametrize("plan", [scan_pb2.PLAN_EXPRESS, scan_pb2.PLAN_FLASH, scan_pb2.PLAN_MOVEMENT])
async def test_hints_are_shown_in_attempts_of_every_plan(plan: scan_pb2.Plan.ValueType) -> None:
    async def act(frames: int, send: Send) -> None:
        if frames == 2:
            hint = feedback_pb2.Feedback(code=feedback_pb2.FEEDBACK_CODE_BLINK)
            await send(scan_pb2.ScanFaceResponse(feedback=hint))

    screen = FakeScreen()
    await _filmed(FakeServer(StreamPlan(plan=plan, act=act, frames_wanted=6)), screen=screen, frames=200)
    assert feedback_pb2.FEEDBACK_CODE_BLINK in [hint.code for hint in screen.hints]


async def test_steps_out_of_order_or_far_too_fast_are_a_violation() -> None:
    show = FlashShow(FakeScreen())
    show.add(_step(3))
    with pytest.raises(ProtocolViolatedError, match="step 3 came after step 3"):
        show.add(_step(3))
    show.add(_step(4))
    show.add(_step(5))
    with pytest.raises(ProtocolViolatedError, match="faster than"):
        show.add(_step(6))
    show.close()


async def test_nothing_is_shown_after_the_end() -> None:
    screen = FakeScreen()
    show = FlashShow(screen)
    show.add(_step(1))
    show.add(_step(2))
    show.close()
    await asyncio.sleep(SHORTEST_HOLD_S + 0.05)
    assert [number for number, _ in screen.received] == [1, 0]
    show.close()
    assert [number for number, _ in screen.received] == [1, 0]


async def test_an_attempt_does_not_state_the_last_colour_of_the_one_before() -> None:
    screen = FakeScreen()
    earlier, later = FlashShow(screen), FlashShow(screen)
    earlier.add(_step(4))
    assert earlier.displayed(2**62).number == 4
    # A picture of that moment is the later attempt's first one.
    assert later.displayed(2**62) == DisplayedStep()
    later.add(_step(1))
    assert later.displayed(2**62).number == 1


class _Clock(asyncio.SelectorEventLoop):
    """An event loop in virtual time: timers fire at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1.0), st.integers(0, 900)), min_size=1, max_size=12))
def test_never_more_than_three_changes_a_second(steps: list[tuple[float, int]]) -> None:
    loop = _Clock()

    async def scenario() -> list[float]:
        screen = FakeScreen()
        show = FlashShow(screen)
        for number, (gap, hold_ms) in enumerate(steps, start=1):
            for _ in range(40):
                loop.now += gap / 40
                await asyncio.sleep(0)
            try:
                show.add(_step(number, hold_ms=hold_ms))
            except ProtocolViolatedError:
                break
        for _ in range(400):
            loop.now += 0.01
            await asyncio.sleep(0)
        return [at for _, at in screen.received]

    try:
        received = loop.run_until_complete(scenario())
    finally:
        loop.close()
    assert all(later - at >= SHORTEST_HOLD_S - 1e-9 for at, later in pairwise(received))
