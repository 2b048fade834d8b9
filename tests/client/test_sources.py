import asyncio
import itertools
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest

from facegate_client import (
    CameraDescription,
    CapturedImage,
    Pixels,
    Recording,
    SourceError,
    generated_source,
    open_camera,
    open_image_folder,
    open_video,
)
from facegate_client.camera import CameraSource
from facegate_client.frame_source import FrameSource
from tests import films
from tests.client.conftest import pictures
from tests.vision.decoders import decoders
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
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for shade in range(10):
        writer.write(np.full((48, 64, 3), shade * 20, np.uint8))
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
    assert len(images) + sum(image.lost_before for image in images) == 10
    now_us = time.monotonic_ns() // 1000
    assert abs(images[-1].capture_time_us - now_us) < 10_000_000


async def test_late_frames_of_a_recording_are_lost_as_a_cameras_would_be(video: Path) -> None:
    source = open_video(video)
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
    # Without the pause, these 0.4 seconds would have lost 8; a busy machine may lose a few.
    assert second.lost_before < 6
    assert second.capture_time_us - first.capture_time_us >= 400_000
    await source.aclose()


async def test_closed_recording_has_no_more_frames(video: Path) -> None:
    source = open_video(video, pace="fast")
    await anext(source)
    await source.aclose()
    await source.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(source)


async def test_image_of_a_cancelled_wait_comes_next_and_closing_waits_for_the_reader() -> None:
    reading, closed_while_reading = False, None

    def slow() -> Iterator[tuple[Pixels | bytes, int]]:
        nonlocal reading
        for picture, at in pictures(3):
            reading = True
            time.sleep(0.1)
            reading = False
            yield picture, round(at * 1_000_000)

    def close() -> None:
        nonlocal closed_while_reading
        closed_while_reading = reading

    camera = CameraDescription(label="slow")
    source = Recording(slow(), camera=camera, pace="fast", skip_late=False, close=close)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(source), timeout=0.02)
    first, second = await anext(source), asyncio.create_task(anext(source))
    assert not isinstance(first.image, bytes)
    assert np.array_equal(first.image, np.asarray(pictures(1)[0][0]))
    await asyncio.sleep(0.02)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await source.aclose()
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
    served = decoders().decode_video(data, limits=VideoLimits()).frames
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


async def test_broken_image_in_a_folder_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    source = open_image_folder(tmp_path, pace="fast")
    with pytest.raises(SourceError, match=r"a\.png"):
        await anext(source)
    await source.aclose()


async def test_image_that_vanishes_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    source = open_image_folder(tmp_path, pace="fast")
    (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        await anext(source)
    await source.aclose()


def test_unusable_folders_are_source_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.jpg"):
        open_image_folder(tmp_path)
    with pytest.raises(SourceError, match="cannot be read"):
        open_image_folder(tmp_path / "missing")
    with pytest.raises(SourceError, match="above 0"):
        open_image_folder(tmp_path, frames_per_second=0)


async def test_generated_frames_keep_their_times() -> None:
    images = await _all(generated_source(pictures(5, fps=25), pace="fast"))
    assert _intervals(images) == [40_000] * 4


async def test_times_that_do_not_rise_are_made_to() -> None:
    picture = pictures(1)[0][0]
    images = await _all(generated_source([(picture, 0.1), (picture, 0.1), (picture, 0.05)], pace="fast"))
    assert _intervals(images) == [1, 1]


async def test_slow_generator_loses_nothing() -> None:
    def slow() -> Iterator[tuple[Pixels | bytes, float]]:
        for picture, at in pictures(3, fps=50):
            time.sleep(0.25)
            yield picture, at

    images = await _all(generated_source(slow()))
    assert [image.lost_before for image in images] == [0, 0, 0]
    assert abs(images[-1].capture_time_us - time.monotonic_ns() // 1000) < 300_000


class _Capture:
    """Replaces OpenCV's capture of a camera."""

    def __init__(self, frames: int) -> None:
        self.left, self.released = frames, 0

    def get(self, _property: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, Pixels | None]:
        time.sleep(0.02)
        self.left -= 1
        return (False, None) if self.left < 0 else (True, np.full((4, 4, 3), self.left, np.uint8))

    def release(self) -> None:
        self.released += 1


async def test_camera_gives_the_newest_image_and_counts_the_lost() -> None:
    capture = _Capture(50)
    source = CameraSource(capture, 0)  # type: ignore[arg-type]  # a stand-in for the hardware
    source.begin_attempt()
    first = await anext(source)
    await asyncio.sleep(0.15)
    second = await anext(source)
    assert second.lost_before >= 2
    assert second.capture_time_us > first.capture_time_us
    await source.aclose()
    await source.aclose()
    assert capture.released == 1


async def test_the_camera_discards_frames_from_before_the_attempt() -> None:
    source = CameraSource(_Capture(50), 0)  # type: ignore[arg-type]  # a stand-in for the hardware
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
