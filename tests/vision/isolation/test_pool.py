"""Real images and videos through real workers, and the answers of workers that break the rules."""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

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
from tests.films import MATRICES, corner_card, film, hdr_film, resized_film, seen_through
from tests.hostile.image_files import iso_media
from tests.vision.decoders import VideoFrames, decode_video, decoders
from tests.vision.isolation.hostile import QUICK, hostile_command, wait_for_more
from tests.vision.isolation.hostile_worker import VIDEOS
from vision.errors import DecoderUnavailable, ImageError, ModelFailed, VideoError, VideoFault
from vision.face import BgrImage
from vision.isolation.pool import DecoderPool, worker_command
from vision.isolation.video import VideoContainer, VideoLimits, detect_container
from vision.isolation.workers import DecoderLimits, LossCause

WIDTH, HEIGHT, RATE = 64, 48, 10
_DURATION = b"\x44\x89\x88"
"""The name and the size of the length that a Matroska file declares, as eight bytes of milliseconds."""


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


def video(container: str, codec: str, *, frames: int = 20, sound: bool = False, start: int = 0) -> bytes:
    """Frames of increasing brightness, from a number of seconds on."""
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
            frame.pts, frame.time_base = start * RATE + number, Fraction(1, RATE)
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
        with pytest.raises(ValueError, match="BMP is not decoded in isolation"):
            decoders().decode_still(b"", header=ImageHeader(ImageFormat.BMP, 1, 1, 3, 8))

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

    @pytest.mark.parametrize(
        ("container", "codec"), [("matroska", "libx264"), ("webm", "libvpx"), ("mp4", "libx264")]
    )
    @pytest.mark.parametrize("start", [0, 3, 72_000])
    def test_a_part_of_a_long_recording_is_whole(self, container: str, codec: str, start: int) -> None:
        data = video(container, codec, frames=60, start=start)
        found = sampled(data)
        assert (found.complete, found.decoded) == (True, 60)
        assert found.seconds == pytest.approx(59 / RATE, abs=0.01)
        if container != "mp4":
            assert not sampled(data[: len(data) * 6 // 10]).complete

    @pytest.mark.parametrize(("container", "codec"), [("matroska", "libx264"), ("webm", "libvpx")])
    @pytest.mark.parametrize("start", [0, 3, 5])
    def test_a_film_that_starts_late_and_was_cut_is_incomplete(
        self, container: str, codec: str, start: int
    ) -> None:
        data = bytearray(video(container, codec, frames=60, start=start))
        at = data.index(_DURATION)
        # Some programs declare the length of the film, and not the time of its end.
        data[at : at + 11] = _DURATION + struct.pack(">d", 60 / RATE * 1000)
        assert sampled(bytes(data)).complete
        cut = sampled(bytes(data[: len(data) * 6 // 10]))
        assert not cut.complete
        assert 10 < cut.decoded < 40

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


EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01"


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b"\0\0\0\x18ftypisom", VideoContainer.MP4),
        (b"\0\0\0\x14ftypqt  ", VideoContainer.MOV),
        (b"\0\0\0\x08widemdat", VideoContainer.MOV),
        (b"RIFF\0\0\0\0AVI LIST", VideoContainer.AVI),
        (EBML + b"\x42\x82\x84webm", VideoContainer.WEBM),
        (EBML + b"\x42\x82\x88matroska", VideoContainer.MKV),
        (EBML + b"\x42\x82\x85webmx", None),
        (EBML + bytes(200) + b"\x42\x82\x84webm", None),
        (EBML, None),
        (b"RIFF\0\0\0\0WEBPVP8 ", None),
        (iso_media(b"heic"), None),
        (iso_media(b"avif"), None),
        (b"", None),
        (b"GIF89a", None),
    ],
)
def test_containers_are_known_by_their_first_bytes(data: bytes, container: VideoContainer | None) -> None:
    assert detect_container(data) is container


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_bytes": 0},
        {"max_bytes": 50_000_001},
        {"max_frames": 0},
        {"max_frames": 1001},
        {"max_pixels": 0},
        {"max_pixels": 100, "max_total_pixels": 99},
        {"max_total_pixels": 2_000_000_000},
        {"max_seconds": 0.0},
        {"max_frames_per_second": 0.0},
    ],
)
def test_limits_that_limit_nothing_are_a_mistake(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        VideoLimits(**wrong)  # type: ignore[arg-type]  # on purpose


LIMITS = VideoLimits(max_frames=4, max_pixels=100, max_total_pixels=300, max_seconds=2.0)


@pytest.fixture(scope="module")
def liars() -> Iterator[DecoderPool]:
    with DecoderPool(still_workers=0, video_workers=1, limits=QUICK, command=hostile_command) as pool:
        yield pool


def _decoded(pool: DecoderPool, deed: bytes) -> VideoFrames:
    return decode_video(pool, b"RIFF\0\0\0\0AVI " + deed, limits=LIMITS)


@pytest.mark.parametrize("deed", [b"fine", b"again"])
def test_an_answer_that_keeps_to_the_rules_is_taken(liars: DecoderPool, deed: bytes) -> None:
    found = _decoded(liars, deed)
    assert [frame.shape for frame in found.frames] == [(2, 4, 3), (2, 4, 3)]
    assert found.timestamps == (0.0, 0.5)
    assert (found.seconds, found.decoded, found.complete) == (0.9, 9, True)


@pytest.mark.parametrize(
    "deed",
    [
        deed
        for deed in VIDEOS
        if deed not in {b"fine", b"again", b"words after the end", b"a refusal for want of memory"}
    ],
    ids=lambda deed: deed.decode().replace(" ", "-"),
)
def test_every_other_answer_costs_the_worker_its_place(liars: DecoderPool, deed: bytes) -> None:
    before = liars.states["video"].losses.get(LossCause.BROKEN_ANSWER, 0)
    with pytest.raises(VideoError, match="its decoder crashed") as caught:
        _decoded(liars, deed)
    assert caught.value.reason is VideoFault.MALFORMED
    assert liars.states["video"].losses[LossCause.BROKEN_ANSWER] == before + 1
    assert _decoded(liars, b"fine").decoded == 9


def test_giving_up_in_the_middle_replaces_the_worker(liars: DecoderPool) -> None:
    class _GivenUp(Exception):
        pass

    def take(pixels: BgrImage, time: float) -> None:
        raise _GivenUp

    before = liars.states["video"].losses
    with pytest.raises(_GivenUp):
        liars.stream_video(b"RIFF\0\0\0\0AVI fine", limits=LIMITS, begin=lambda: take)
    after = liars.states["video"].losses
    assert after[LossCause.ABANDONED] == before.get(LossCause.ABANDONED, 0) + 1
    assert after.get(LossCause.BROKEN_ANSWER) == before.get(LossCause.BROKEN_ANSWER)
    assert _decoded(liars, b"fine").decoded == 9


def test_want_of_memory_is_reported(liars: DecoderPool) -> None:
    with pytest.raises(VideoError, match="too much memory"):
        _decoded(liars, b"a refusal for want of memory")
    assert liars.states["video"].losses[LossCause.MEMORY_LIMIT] == 1


@pytest.mark.slow
@pytest.mark.timeout(700)  # A second of CPU time: see QUICK.
@pytest.mark.parametrize(
    ("deed", "limits", "limit"),
    [
        (b"sleep", replace(QUICK, wall_seconds=0.3), {"max_seconds": 0.3}),
        (b"loop", QUICK, {"max_cpu_seconds": 1}),
    ],
)
def test_a_video_that_takes_too_long_is_not_called_damaged(
    deed: bytes, limits: DecoderLimits, limit: dict[str, float]
) -> None:
    with (
        DecoderPool(still_workers=0, video_workers=1, limits=limits, command=hostile_command) as pool,
        pytest.raises(VideoError, match=r"AVI: decoding took too .* send a shorter video") as caught,
    ):
        _decoded(pool, deed)
    assert caught.value.reason is VideoFault.TOO_SLOW
    assert dict(caught.value.details) == {"format": "AVI"} | limit


def test_bytes_after_the_end_are_never_the_next_answer(liars: DecoderPool) -> None:
    before = liars.states["video"].losses.get(LossCause.BROKEN_ANSWER, 0)
    try:
        _decoded(liars, b"words after the end")
    except VideoError:
        pass  # They came with the end.
    else:
        wait_for_more(liars, "video")
    assert len(_decoded(liars, b"fine").frames) == 2
    assert liars.states["video"].losses[LossCause.BROKEN_ANSWER] == before + 1


def difference(one: BgrImage, other: BgrImage) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize("name", MATRICES)
def test_every_display_matrix_is_undone(name: str, container: str) -> None:
    stored = corner_card()
    found = sampled(film(stored, container=container, matrix=MATRICES[name]))
    assert difference(found.frames[-1], seen_through(MATRICES[name], stored)) < 4


def test_a_matrix_of_nothing_turns_nothing() -> None:
    assert difference(sampled(film(corner_card(), matrix=(0, 0, 0, 0))).frames[0], corner_card()) < 4


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize(("before", "after"), [(8, 20), (20, 8), (3, 3)])
def test_the_usual_size_is_used(codec: str, before: int, after: int) -> None:
    data = resized_film([(corner_card(64, 48), before), (corner_card(96, 64), after)], codec=codec)
    found = sampled(data)
    small = before >= after
    assert {frame.shape for frame in found.frames} == {(48, 64, 3) if small else (64, 96, 3)}
    assert (found.decoded, found.other_size) == (before + after, after if small else before)
    assert len(found.frames) == (before if small else after)
    assert difference(found.frames[-1], corner_card(64, 48) if small else corner_card(96, 64)) < 8


def test_a_size_that_returns_counts_together() -> None:
    small, large = corner_card(64, 48), corner_card(96, 64)
    found = sampled(resized_film([(small, 6), (large, 10), (small, 6)]))
    assert (found.frames[0].shape, len(found.frames), found.other_size) == ((48, 64, 3), 12, 10)


@pytest.mark.parametrize(
    ("pixel", "size"),
    [
        (Fraction(4, 3), (128, 64)),
        (Fraction(16, 11), (139, 64)),
        (Fraction(1, 2), (96, 128)),
        (Fraction(1000), (96, 64)),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_pixels_become_square(container: str, pixel: Fraction, size: tuple[int, int]) -> None:
    found = sampled(film(corner_card(), container=container, pixel=pixel))
    assert found.frames[0].shape == (size[1], size[0], 3)
    assert difference(found.frames[0], corner_card(*size)) < 6


def test_square_pixels_of_a_film_on_its_side() -> None:
    found = sampled(film(corner_card(), pixel=Fraction(4, 3), matrix=MATRICES["90 degrees"]))
    assert difference(found.frames[0], seen_through(MATRICES["90 degrees"], corner_card(128, 64))) < 6


def test_wider_pixels_stay_within_the_limit() -> None:
    found = sampled(film(corner_card(), pixel=Fraction(4)), max_pixels=96 * 64)
    height, width = found.frames[0].shape[:2]
    assert width * height <= 96 * 64
    assert width / height == pytest.approx(6, rel=0.1)


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_hdr_is_shown_as_sdr(transfer: Literal["hlg", "pq"]) -> None:
    rows = np.repeat(np.repeat(np.random.default_rng(1).integers(10, 245, (4, 6, 3), np.uint8), 16, 0), 16, 1)
    found = sampled(hdr_film(rows, transfer)).frames[0]
    # Blocks of one colour: chroma is stored at half the size, so their edges differ.
    middle = (slice(8, None, 16), slice(8, None, 16))
    assert difference(found[middle], rows[middle]) < 6
    assert abs(found.mean() - rows.mean()) < 3


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_light_beyond_white_keeps_its_shape(transfer: Literal["hlg", "pq"]) -> None:
    ramp = np.repeat(np.repeat(np.linspace(60, 255, 8).astype(np.uint8), 16)[None, :, None], 64, 0)
    found = sampled(hdr_film(np.repeat(ramp, 3, 2), transfer, white=800)).frames[0][32, 8::16, 1]
    assert np.all(np.diff(found.astype(int)) >= 1)
    assert found[-1] >= 250
