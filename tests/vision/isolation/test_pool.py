"""Real images and videos through real workers."""

import io
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from PIL import Image

from formats.errors import ImageFault
from formats.image_format import ImageFormat, ImageHeader
from tests.vision.decoders import VideoFrames, decode_video, decoders
from vision.errors import DecoderUnavailable, ImageError, ModelFailed, VideoError, VideoFault
from vision.face import BgrImage
from vision.isolation.pool import DecoderPool, worker_command
from vision.isolation.video import VideoContainer, VideoLimits
from vision.isolation.workers import DecoderLimits

WIDTH, HEIGHT, RATE = 64, 48, 10


def picture() -> Image.Image:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.dstack([x * 4, y * 5, 255 - x - y]).astype(np.uint8))


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=format_, **options)
    return stream.getvalue()


def shade(number: int) -> int:
    """The brightness of the left half of frame ``number``; the right half is dark."""
    return 40 + 3 * number


def add_silence(output: OutputContainer, track: AudioStream) -> None:
    """One frame of silence."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    frame.sample_rate = track.rate
    for packet in (*track.encode(frame), *track.encode(None)):
        output.mux(packet)


def video(container: str, codec: str, *, frames: int = 20, sound: bool = False) -> bytes:
    """Frames of increasing brightness."""
    stream = io.BytesIO()
    with av.open(stream, mode="w", format=container) as output:
        track = output.add_stream(codec, rate=RATE)
        assert isinstance(track, VideoStream)
        track.width, track.height = WIDTH, HEIGHT
        track.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        silent = output.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for number in range(frames):
            pixels = np.full((HEIGHT, WIDTH, 3), 10, np.uint8)
            pixels[:, : WIDTH // 2] = shade(number)
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for packet in track.encode(frame):
                output.mux(packet)
        for packet in track.encode(None):
            output.mux(packet)
        if silent is not None:
            add_silence(output, silent)
    return stream.getvalue()


def sampled(data: bytes, **limits: int | float) -> VideoFrames:
    return decode_video(decoders(), data, limits=VideoLimits(**limits))  # type: ignore[arg-type]  # by name


def left_shades(frames: tuple[BgrImage, ...]) -> list[float]:
    return [float(frame[:, : frame.shape[1] // 3].mean()) for frame in frames]


class TestStills:
    def test_a_header_that_the_decoder_reads_otherwise_is_refused(self) -> None:
        data = saved(picture(), "WEBP")
        with pytest.raises(ImageError, match="different sizes") as caught:
            decoders().decode_still(data, header=ImageHeader(ImageFormat.WEBP, WIDTH + 1, HEIGHT, 3, 8))
        assert caught.value.reason is ImageFault.MALFORMED

    def test_an_animation_is_refused_whatever_its_header_states(self) -> None:
        data = saved(picture(), "WEBP", save_all=True, append_images=[picture().rotate(90)])
        with pytest.raises(ImageError) as caught:
            decoders().decode_still(data, header=ImageHeader(ImageFormat.WEBP, WIDTH, HEIGHT, 3, 8))
        assert caught.value.reason is ImageFault.ANIMATED

    def test_other_formats_are_a_mistake_of_the_caller(self) -> None:
        with pytest.raises(ValueError, match="PNG is not decoded in isolation"):
            decoders().decode_still(b"", header=ImageHeader(ImageFormat.PNG, 1, 1, 3, 8))

    def test_too_little_memory_is_a_refusal_of_the_picture(self) -> None:
        large = Image.new("RGB", (6000, 4000), (10, 90, 200))
        limits = DecoderLimits(memory_bytes=64 * 1024 * 1024, wait_seconds=30.0)
        small = saved(picture(), "JPEG2000")
        with DecoderPool(limits=limits) as pool:
            with pytest.raises(ImageError) as caught:
                pool.decode_still(
                    saved(large, "WEBP"), header=ImageHeader(ImageFormat.WEBP, 6000, 4000, 3, 8)
                )
            assert caught.value.reason is ImageFault.MALFORMED
            header = ImageHeader(ImageFormat.JP2, WIDTH, HEIGHT, 3, 8)
            assert pool.decode_still(small, header=header).shape == (HEIGHT, WIDTH, 3)

    def test_without_workers_of_a_kind_there_is_no_decoding(self) -> None:
        with pytest.raises(DecoderUnavailable, match="no workers for video"):
            decode_video(DecoderPool(still_workers=1), video("avi", "mjpeg"), limits=VideoLimits())

    def test_a_worker_starts_without_our_environment_and_folder(self) -> None:
        command = worker_command("stills", limits=DecoderLimits(), most_bytes=1000)
        assert command[1] == "-I"
        assert command[-1] == "1000"


class TestVideo:
    @pytest.mark.parametrize(
        ("container", "codec", "expected"),
        [
            ("mp4", "libx264", VideoContainer.MP4),
            ("mp4", "libx265", VideoContainer.MP4),
            ("mov", "mpeg4", VideoContainer.MOV),
            ("avi", "mjpeg", VideoContainer.AVI),
            ("webm", "libvpx-vp9", VideoContainer.WEBM),
            ("webm", "libvpx", VideoContainer.WEBM),
            ("matroska", "libx264", VideoContainer.MKV),
        ],
    )
    def test_every_container_is_decoded(self, container: str, codec: str, expected: VideoContainer) -> None:
        found = sampled(video(container, codec))
        assert found.container is expected
        assert len(found.frames) == found.decoded == 20
        assert found.frames[0].shape == (HEIGHT, WIDTH, 3)
        assert found.timestamps == pytest.approx([number / RATE for number in range(20)], abs=0.002)
        assert found.seconds == pytest.approx(1.9, abs=0.002)
        assert left_shades(found.frames) == pytest.approx([shade(n) for n in range(20)], abs=6)
        assert (found.complete, found.other_size) == (True, 0)

    def test_samples_are_even_and_hold_both_ends(self) -> None:
        found = sampled(video("mp4", "libx264"), max_frames=5)
        assert found.decoded == 20
        gaps = np.diff(found.timestamps)
        assert len(found.frames) == 5
        assert found.timestamps[0] == 0.0
        assert found.timestamps[-1] == pytest.approx(1.9)
        assert gaps.max() - gaps.min() <= 0.11

    def test_large_frames_make_fewer_of_them(self) -> None:
        found = sampled(
            video("avi", "mjpeg"), max_pixels=WIDTH * HEIGHT, max_total_pixels=3 * WIDTH * HEIGHT + 1
        )
        assert len(found.frames) == 3

    def test_sound_is_not_decoded(self) -> None:
        assert sampled(video("mp4", "libx264", sound=True)).complete

    def test_agrees_with_another_reader(self, tmp_path: Path) -> None:
        data = video("mp4", "libx264")
        (tmp_path / "v.mp4").write_bytes(data)
        reader = cv2.VideoCapture(str(tmp_path / "v.mp4"))
        for frame in sampled(data).frames:
            done, other = reader.read()
            assert done
            assert np.abs(frame.astype(int) - other.astype(int)).mean() < 3
        assert not reader.read()[0]


def sound_alone() -> bytes:
    stream = io.BytesIO()
    with av.open(stream, mode="w", format="mp4") as output:
        add_silence(output, output.add_stream("aac", rate=16_000, layout="mono"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "limits", "fault", "details"),
    [
        (b"", {}, VideoFault.EMPTY, {}),
        (bytes(1001), {"max_bytes": 1000}, VideoFault.TOO_MANY_BYTES, {"bytes": 1001, "max_bytes": 1000}),
        (b"no video", {}, VideoFault.UNSUPPORTED_FORMAT, {}),
        (b"#EXTM3U\nfile:///etc/passwd", {}, VideoFault.UNSUPPORTED_FORMAT, {}),
        (b"ffconcat version 1.0\n", {}, VideoFault.UNSUPPORTED_FORMAT, {}),
        (video("avi", "ffv1"), {}, VideoFault.UNSUPPORTED_FORMAT, {}),
        (sound_alone(), {}, VideoFault.NO_VIDEO_STREAM, {}),
        (video("webm", "libvpx"), {"max_seconds": 1.5}, VideoFault.TOO_LONG, {"max_seconds": 1.5}),
        (video("webm", "libvpx"), {"max_frames_per_second": 0.2}, VideoFault.TOO_LONG, {}),
        (
            video("mp4", "libx264"),
            {"max_pixels": WIDTH * HEIGHT - 1},
            VideoFault.TOO_MANY_PIXELS,
            {"pixels": WIDTH * HEIGHT},
        ),
        (video("mp4", "libx264")[:200], {}, VideoFault.MALFORMED, {}),
    ],
)
def test_a_video_is_refused(
    data: bytes, limits: dict[str, float], fault: VideoFault, details: dict[str, float]
) -> None:
    with pytest.raises(VideoError) as caught:
        sampled(data, **limits)
    assert caught.value.reason is fault
    assert details.items() <= dict(caught.value.details).items()


class TestBrokenVideo:
    @pytest.mark.parametrize(
        ("container", "codec"), [("webm", "libvpx"), ("avi", "mjpeg"), ("matroska", "mpeg4")]
    )
    def test_frames_before_a_break_are_kept_and_the_break_reported(self, container: str, codec: str) -> None:
        whole = video(container, codec, frames=60)
        found = sampled(whole[: len(whole) // 2], max_frames=100)
        assert not found.complete
        assert 10 <= len(found.frames) < 60
        assert left_shades(found.frames[:5]) == pytest.approx([shade(n) for n in range(5)], abs=6)

    def test_damage_gives_frames_or_a_video_error(self) -> None:
        rng = np.random.default_rng(4)
        whole = video("mp4", "libx264")
        outcomes = set[object]()
        for _ in range(40):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 12):
                data[place] = rng.integers(0, 256)
            try:
                outcomes.add(bool(sampled(bytes(data)).frames))
            except VideoError as error:
                outcomes.add(error.reason)
        assert outcomes & {True, VideoFault.MALFORMED}
        # And the next video is decoded.
        assert sampled(whole).complete


@pytest.mark.slow
@pytest.mark.long
def test_every_clip_of_the_test_data(assets: Path) -> None:
    clips = sorted((assets / "data" / "video").glob("*/*"))
    assert clips
    parts, faults = [], set()
    for clip in clips:
        data = clip.read_bytes()
        found = sampled(data, max_frames=8, max_seconds=120.0)
        assert len(found.frames) == len(found.timestamps) == 8, clip.name
        assert found.complete, clip.name
        assert float(np.mean([frame.std() for frame in found.frames])) > 5, clip.name
        for cut in (len(data) // 3, len(data) * 2 // 3):
            try:
                part = sampled(data[:cut], max_frames=8, max_seconds=120.0)
            except VideoError as error:
                faults.add(error.reason)
            else:
                assert part.seconds < found.seconds, clip.name
                parts.append(part.complete)
    # A live recording declares no length, so a cut cannot be detected.
    assert parts.count(True) <= 2
    assert faults == {VideoFault.MALFORMED}
    assert parts.count(False) >= 10


def test_an_exception_of_the_frame_callback_leaves_the_worker_usable() -> None:
    data = video("avi", "mjpeg")
    taken = 0

    def take(pixels: BgrImage, time: float) -> None:
        nonlocal taken
        taken += 1
        raise ModelFailed("the detector failed (RuntimeError)")

    before = decoders().states["video"].processes
    with pytest.raises(ModelFailed):
        decoders().stream_video(data, limits=VideoLimits(), begin=lambda: take)
    assert taken == 1
    assert decoders().states["video"].processes == before
    assert len(decode_video(decoders(), data, limits=VideoLimits()).frames) == 20
