"""The measurements of a frame for the flash."""

import pytest

from attempt.analyst import FrameAnalyst, SeenFrame
from attempt.frame import Frame, FrameLimits
from attempt.light import flash_sample
from liveness.dynamic.sample import FlashSample
from matcher.persons import SCAN_SUBJECT
from tests.attempt.frames import frame_of
from tests.server.live import pictures
from tests.server.models_once import remembering_pack

_RATE = 15.0


def _message(index: int) -> Frame:
    return frame_of(index, image=pictures()[index].jpeg)


def _sampled(seen: SeenFrame) -> FlashSample:
    return flash_sample(
        seen,
        capture_time=seen.observation.capture_time,
        arrival=100.0,
        step=0,
        step_since=None,
        round_trip=0.05,
        waited=None,
    )


def test_light_is_grouped_by_the_source_of_the_face() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
    watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
    seen = [
        analyst.measure_frame(_message(index), index / _RATE, watcher=watcher, with_light=True)
        for index in range(10)
    ]
    followed = [_sampled(one).followed for one in seen]
    assert followed == [one.observation.followed for one in seen]
    assert followed[0] is False
    assert 2 <= sum(followed) < len(followed)


def test_only_a_frame_whose_light_was_asked_for_is_sampled() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
    with pytest.raises(ValueError, match="light"):
        _sampled(
            analyst.measure_frame(_message(0), 0.0, watcher=analyst.new_watch(subject=SCAN_SUBJECT).watcher)
        )
