"""The test of a video before it is decoded."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.hostile.image_files import iso_media
from tests.vision.decoders import VideoFrames, decode_video
from tests.vision.isolation.hostile import QUICK, hostile_command, wait_for_more
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
        b"no frames",
        b"too many frames",
        b"a frame too large",
        b"too much together",
        b"a negative size",
        b"more bytes than pixels",
        b"an odd turn",
        b"half a mirror",
        b"eight bits of HDR",
        b"an unknown curve",
        b"again and again",
        b"again with a payload",
        b"again and nothing",
        b"times that go back",
        b"two frames at one time",
        b"a frame of another size",
        b"a frame that lies down",
        b"a time beyond the limit",
        b"a time before the start",
        b"more frames than decoded",
        b"a negative count",
        b"a length before the last frame",
        b"more packets than allowed",
        b"an end with a payload",
        b"another kind",
        b"unknown refusal",
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
