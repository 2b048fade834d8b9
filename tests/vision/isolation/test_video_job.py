"""Invalid answers about a video: a worker that lies is discarded, and the next video is decoded."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.vision.isolation.hostile import QUICK, hostile_command
from vision.errors import VideoError, VideoFault
from vision.face import BgrImage
from vision.isolation.pool import DecoderPool
from vision.isolation.video import VideoFrames, VideoLimits
from vision.isolation.workers import DecoderLimits, LossCause

LIMITS = VideoLimits(max_frames=4, max_pixels=100, max_total_pixels=300, max_seconds=2.0)


@pytest.fixture(scope="module")
def liars() -> Iterator[DecoderPool]:
    with DecoderPool(still_workers=0, video_workers=1, limits=QUICK, command=hostile_command) as pool:
        yield pool


def _decoded(pool: DecoderPool, deed: bytes) -> VideoFrames:
    return pool.decode_video(b"RIFF\0\0\0\0AVI " + deed, limits=LIMITS)


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
    with contextlib.suppress(VideoError):
        _decoded(liars, b"words after the end")
    time.sleep(0.2)
    assert len(_decoded(liars, b"fine").frames) == 2
    assert liars.states["video"].losses[LossCause.BROKEN_ANSWER] == before + 1
