"""The measurements of a frame for the flash."""

import pytest

from attempt.analyst import FrameAnalyst, SeenFrame
from attempt.frame import Frame, FrameLimits
from attempt.light import flash_sample
from liveness.dynamic.sample import FlashSample
from tests.attempt.frames import frame_of
from tests.server.live import pictures, remembering_pack

_RATE = 15.0


def _message(index: int) -> Frame:
    return frame_of(index, image=pictures()[index].jpeg)


def _sampled(seen: SeenFrame) -> FlashSample:
    return flash_sample(
        seen, capture_time=seen.observation.capture_time, arrival=100.0, step=0, step_since=None
    )


def test_light_is_told_apart_by_who_found_the_face() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
    watcher = analyst.watch().watcher
    seen = [
        analyst.look(_message(index), index / _RATE, watcher=watcher, with_light=True) for index in range(10)
    ]
    followed = [_sampled(one).followed for one in seen]
    assert followed == [one.observation.followed for one in seen]
    assert followed[0] is False
    assert 2 <= sum(followed) < len(followed)


def test_only_a_frame_whose_light_was_asked_for_is_sampled() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
    with pytest.raises(ValueError, match="light"):
        _sampled(analyst.look(_message(0), 0.0))
