"""Videos are tested before they are decoded, and decoded as a player shows them."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest

from tests.films import MATRICES, corner_card, film, hdr_film, resized_film, seen_through
from tests.hostile.image_files import iso_media
from tests.vision.decoders import VideoFrames, decode_video, decoders
from tests.vision.isolation.hostile import QUICK, hostile_command, wait_for_more
from tests.vision.isolation.hostile_worker import VIDEOS
from vision.errors import VideoError, VideoFault
from vision.face import BgrImage
from vision.isolation.pool import DecoderPool
from vision.isolation.video import VideoContainer, VideoLimits, detect_container
from vision.isolation.workers import DecoderLimits, LossCause

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


def decoded(data: bytes, **limits: int) -> VideoFrames:
    return decode_video(decoders(), data, limits=VideoLimits(**limits))


def difference(one: BgrImage, other: BgrImage) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize("name", MATRICES)
def test_every_display_matrix_is_undone(name: str, container: str) -> None:
    stored = corner_card()
    found = decoded(film(stored, container=container, matrix=MATRICES[name]))
    assert difference(found.frames[-1], seen_through(MATRICES[name], stored)) < 4


def test_a_matrix_of_nothing_turns_nothing() -> None:
    assert difference(decoded(film(corner_card(), matrix=(0, 0, 0, 0))).frames[0], corner_card()) < 4


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize(("before", "after"), [(8, 20), (20, 8), (3, 3)])
def test_the_usual_size_is_used(codec: str, before: int, after: int) -> None:
    data = resized_film([(corner_card(64, 48), before), (corner_card(96, 64), after)], codec=codec)
    found = decoded(data)
    small = before >= after
    assert {frame.shape for frame in found.frames} == {(48, 64, 3) if small else (64, 96, 3)}
    assert (found.decoded, found.other_size) == (before + after, after if small else before)
    assert len(found.frames) == (before if small else after)
    assert difference(found.frames[-1], corner_card(64, 48) if small else corner_card(96, 64)) < 8


def test_a_size_that_returns_counts_together() -> None:
    small, large = corner_card(64, 48), corner_card(96, 64)
    found = decoded(resized_film([(small, 6), (large, 10), (small, 6)]))
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
    found = decoded(film(corner_card(), container=container, pixel=pixel))
    assert found.frames[0].shape == (size[1], size[0], 3)
    assert difference(found.frames[0], corner_card(*size)) < 6


def test_square_pixels_of_a_film_on_its_side() -> None:
    found = decoded(film(corner_card(), pixel=Fraction(4, 3), matrix=MATRICES["90 degrees"]))
    assert difference(found.frames[0], seen_through(MATRICES["90 degrees"], corner_card(128, 64))) < 6


def test_wider_pixels_stay_within_the_limit() -> None:
    found = decoded(film(corner_card(), pixel=Fraction(4)), max_pixels=96 * 64)
    height, width = found.frames[0].shape[:2]
    assert width * height <= 96 * 64
    assert width / height == pytest.approx(6, rel=0.1)


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_hdr_is_shown_as_sdr(transfer: Literal["hlg", "pq"]) -> None:
    rows = np.repeat(np.repeat(np.random.default_rng(1).integers(10, 245, (4, 6, 3), np.uint8), 16, 0), 16, 1)
    found = decoded(hdr_film(rows, transfer)).frames[0]
    # Blocks of one colour: chroma is stored at half the size, so their edges differ.
    middle = (slice(8, None, 16), slice(8, None, 16))
    assert difference(found[middle], rows[middle]) < 6
    assert abs(found.mean() - rows.mean()) < 3


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_light_beyond_white_keeps_its_shape(transfer: Literal["hlg", "pq"]) -> None:
    ramp = np.repeat(np.repeat(np.linspace(60, 255, 8).astype(np.uint8), 16)[None, :, None], 64, 0)
    found = decoded(hdr_film(np.repeat(ramp, 3, 2), transfer, white=800)).frames[0][32, 8::16, 1]
    assert np.all(np.diff(found.astype(int)) >= 1)
    assert found[-1] >= 250
