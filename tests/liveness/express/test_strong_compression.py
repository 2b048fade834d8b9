"""Live clips compressed so strongly that the encoder repeats whole frames, without injection."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from liveness.express.repetition import Repetition, find_repetition
from liveness.express.settings import ExpressSettings
from liveness.observation import FrameObservation
from liveness.observe import sample_frame
from tests.liveness.builders import observation, scan

_LONGEST_SIDE = 480
_SECONDS = 4.0


def _spaced(clip: Path, fps: int) -> list[av.VideoFrame]:
    """The first seconds of a clip, reduced, at no more than ``fps`` frames a second."""
    frames: list[av.VideoFrame] = []
    with av.open(str(clip)) as stored:
        for at, frame in enumerate(stored.decode(video=0)):
            time = 0.0 if at == 0 else frame.time
            if time >= _SECONDS:
                break
            if time * fps >= len(frames) - 1e-6:
                share = min(1.0, _LONGEST_SIDE / max(frame.width, frame.height))
                size = (int(frame.width * share) // 2 * 2, int(frame.height * share) // 2 * 2)
                frames.append(frame.reformat(*size, "yuv420p"))
    return frames


def _encoded(frames: list[av.VideoFrame], fps: int, crf: int) -> tuple[FrameObservation, ...]:
    stored = io.BytesIO()
    with av.open(stored, "w", format="mp4") as made:
        stream = made.add_stream(
            "libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for at, frame in enumerate(frames):
            fresh = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
            fresh.pts = at
            made.mux(stream.encode(fresh))
        made.mux(stream.encode())
    stored.seek(0)
    with av.open(stored, "r") as again:
        return tuple(
            observation(
                at,
                capture_time=at / fps,
                samples=sample_frame(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)),
            )
            for at, frame in enumerate(again.decode(video=0))
        )


@pytest.mark.slow
@pytest.mark.parametrize(("fps", "crf"), [(10, 40), (10, 46), (10, 51), (25, 51)])
def test_no_live_clip_is_frozen_or_looped_however_it_is_encoded(assets: Path, fps: int, crf: int) -> None:
    found = {}
    for clip in sorted((assets / "data/video/live").iterdir()):
        encoded = _encoded(_spaced(clip, fps), fps, crf)
        finding = find_repetition(scan(encoded), ExpressSettings())
        found[clip.name] = None if finding is None else finding.kind
    assert len(found) == 19
    assert set(found.values()) == {Repetition.NONE}


@pytest.mark.slow
def test_about_half_of_the_clips_that_stall_are_found_all_the_same(assets: Path) -> None:
    frozen = 0
    for clip in sorted((assets / "data/video/live").iterdir()):
        frames = _spaced(clip, 10)
        middle = len(frames) // 2
        stalled = [*frames[:middle], *([frames[middle]] * 15), *frames[middle + 15 :]]
        finding = find_repetition(scan(_encoded(stalled, 10, 34)), ExpressSettings())
        frozen += finding is not None and finding.kind is Repetition.FROZEN
    assert frozen >= 8


@pytest.mark.slow
def test_identical_frames_sent_one_by_one_are_repetitions(assets: Path) -> None:
    clip = assets / "data/video/live/Fellway__media__me.mp4"
    encoded = _encoded(_spaced(clip, 10), 10, 51)
    sent = tuple(replace(frame, fingerprint=frame.index) for frame in encoded)
    finding = find_repetition(scan(sent), ExpressSettings())
    assert finding is not None
    assert finding.kind is not Repetition.NONE
