"""What is measured of a frame for the flash."""

import pytest

from liveness.dynamic.sample import FlashSample
from server.scan.analyst import FrameAnalyst, SeenFrame
from server.scan.messages import CaptureBudget, FrameMessage
from tests.server.live import pictures, remembering_pack
from tests.server.scan.records import frame_message

_RATE = 15.0


def _message(index: int) -> FrameMessage:
    return frame_message(index, image=pictures()[index].jpeg)


def _sampled(analyst: FrameAnalyst, seen: SeenFrame) -> FlashSample:
    return analyst.flash_sample(
        seen, capture_time=seen.observation.capture_time, arrival=100.0, step=0, step_since=None
    )


def test_light_is_told_apart_by_who_found_the_face() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), budget=CaptureBudget())
    watcher = analyst.watcher()
    seen = [
        analyst.look(_message(index), index / _RATE, watcher=watcher, with_light=True) for index in range(10)
    ]
    followed = [_sampled(analyst, one).followed for one in seen]
    assert followed == [one.observation.followed for one in seen]
    assert followed[0] is False
    assert 2 <= sum(followed) < len(followed)


def test_only_a_frame_whose_light_was_asked_for_is_sampled() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), budget=CaptureBudget())
    with pytest.raises(ValueError, match="light"):
        _sampled(analyst, analyst.look(_message(0), 0.0))
