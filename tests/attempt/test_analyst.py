"""The measurements of a frame for the flash."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attempt.analyst import FrameAnalyst, PadFrames, SeenFrame
from attempt.flash_run import flash_sample
from attempt.frame import Frame, FrameLimits
from liveness.dynamic.sample import FlashSample
from liveness.express.pad_network import PadScore
from matcher.persons import SCAN_SUBJECT
from tests.attempt.frames import frame_of
from tests.attempt.networks import CountingNetwork
from tests.liveness.builders import observation
from tests.server.live import pictures
from tests.server.models_once import remembering_pack
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, HeadPose
from vision.packs import PadNetwork

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


_SECONDS = 4.0
_WANTED = 10
_PIXELS = np.zeros((64, 48, 3), np.uint8)


def _seen(index: int, time: float, **changes: object) -> SeenFrame:
    """A frame whose face the detector found."""
    observed = observation(index, capture_time=time, **changes)
    return SeenFrame(frame=frame_of(index), pixels=_PIXELS, observation=observed)


def _pad_frames(*networks: PadNetwork, seconds: float = _SECONDS) -> PadFrames:
    pack = replace(remembering_pack(), pad_networks=networks)
    return PadFrames(pack=pack, seconds=seconds)


def _scored(seen: Iterable[SeenFrame], *, seconds: float = _SECONDS) -> list[int]:
    """The indices of the frames that a network scores."""
    frames = _pad_frames(CountingNetwork(), seconds=seconds)
    for one in seen:
        frames.score_when_due(one.observation, one.pixels)
    return [score.frame_index for score in frames.scores]


def _scored_times(times: Sequence[float], *, seconds: float = _SECONDS) -> list[float]:
    """The times of the frames that a network scores if good frames come at these times."""
    indices = _scored((_seen(index, time) for index, time in enumerate(times)), seconds=seconds)
    return [times[index] for index in indices]


def _steady(*, rate: float, seconds: float) -> list[float]:
    return [index / rate for index in range(round(rate * seconds) + 1)]


def _most(seconds: float) -> int:
    """The most frames that are scored in this time: each gap is a tenth of the time at its end, or longer."""
    longer = max(0.0, math.log(seconds / _SECONDS) / -math.log(1 - 1 / _WANTED))
    return _WANTED + 1 + math.ceil(longer)


@pytest.mark.parametrize(
    "seen",
    [
        replace(_seen(0, 0.0), pixels=None),
        _seen(0, 0.0, faces=0, face=None),
        _seen(0, 0.0, faces=2),
        _seen(0, 0.0, followed=True),
    ],
    ids=["the detector did not run", "no face", "two faces", "a followed face"],
)
def test_only_a_frame_with_exactly_one_detected_face_is_scored(seen: SeenFrame) -> None:
    assert _scored([seen]) == []
    # The next good frame is scored, without a wait.
    assert _scored([seen, _seen(1, 0.1)]) == [1]


def test_scored_frames_are_spread_over_the_planned_time() -> None:
    times = _scored_times(_steady(rate=15.0, seconds=_SECONDS))
    gaps = np.diff(times)
    assert times[0] == 0.0
    assert _WANTED - 1 <= len(times) <= _WANTED + 1
    assert times[-1] > _SECONDS * (1 - 1 / _WANTED)
    assert gaps.min() >= _SECONDS / _WANTED - 1e-9
    assert gaps.max() < _SECONDS / _WANTED + 1.5 / 15.0


def test_frames_that_come_seldom_are_all_scored() -> None:
    times = _steady(rate=2.0, seconds=_SECONDS)
    assert _scored_times(times) == times


@pytest.mark.slow
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "sharpness": st.floats(0, 1000),
                "luminance": st.floats(0, 255),
                "pose": st.builds(HeadPose, st.floats(-90, 90), st.floats(-90, 90), st.floats(-90, 90)),
                "eyes": st.none() | st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
            }
        ),
        min_size=30,
        max_size=30,
    )
)
def test_how_well_frames_show_the_face_changes_nothing(looks: list[dict[str, object]]) -> None:
    good = [_seen(index, index / 6) for index in range(len(looks))]
    other = [_seen(index, index / 6, **look) for index, look in enumerate(looks)]
    assert _scored(other) == _scored(good)


def test_the_gap_grows_in_a_long_attempt() -> None:
    times = _scored_times(_steady(rate=30.0, seconds=60.0))
    gaps = np.diff(times)
    for end, gap in zip(times[1:], gaps, strict=True):
        least = max(_SECONDS, end) / _WANTED
        assert least - 1e-9 <= gap < least + 2 / 30.0
    assert gaps[-1] > 5.0
    # Every part of the attempt counts: the second half of it has scored frames too.
    assert sum(time > 30.0 for time in times) >= 5


@pytest.mark.parametrize("rate", [5.0, 30.0, 120.0])
@pytest.mark.parametrize("seconds", [4.0, 8.0, 60.0])
def test_a_long_attempt_has_only_a_few_more_scored_frames(rate: float, seconds: float) -> None:
    assert len(_scored_times(_steady(rate=rate, seconds=seconds))) <= _most(seconds)
    assert _most(8.0) <= 18
    assert _most(60.0) <= 37


@given(st.lists(st.floats(0, 30), min_size=1, max_size=120, unique=True))
def test_however_frames_come_the_scored_ones_are_bounded_and_apart(times: list[float]) -> None:
    scored = _scored_times(sorted(times))
    assert scored[0] == min(times)
    assert scored == sorted(scored)
    assert len(scored) <= _most(max(_SECONDS, *times))
    for before, after in itertools.pairwise(scored):
        assert after - before >= max(_SECONDS, after) / _WANTED


def test_every_network_scores_each_of_the_frames() -> None:
    frames = _pad_frames(CountingNetwork("one", real=0.9), CountingNetwork("other", real=0.1))
    for index, time in enumerate((0.0, 0.2, 0.5)):
        frames.score_when_due(observation(index, capture_time=time), _PIXELS)
    assert frames.scores == (
        PadScore(0, "one", 0.9),
        PadScore(0, "other", 0.1),
        PadScore(2, "one", 0.9),
        PadScore(2, "other", 0.1),
    )


def test_a_pack_without_networks_has_no_scores() -> None:
    frames = _pad_frames()
    frames.score_when_due(observation(0), _PIXELS)
    assert frames.scores == ()


def test_a_failed_network_differs_from_one_that_did_not_run() -> None:
    class Broken(CountingNetwork):
        def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
            raise ModelFailed("broken")

    with pytest.raises(ModelFailed):
        _pad_frames(Broken()).score_when_due(observation(0), _PIXELS)


@pytest.mark.parametrize("seconds", [1.0, 4.0, 9.0, 60.0])
def test_scores_of_a_file_are_spread_evenly_over_all_of_it(seconds: float) -> None:
    frames = _pad_frames(CountingNetwork(), seconds=1.0)
    times = _steady(rate=30.0, seconds=seconds)
    for index, time in enumerate(times):
        frames.score_when_due(observation(index, capture_time=time), _PIXELS)
    spread = [times[score.frame_index] for score in frames.spread]
    assert 6 <= len(spread) <= _WANTED + 1
    assert np.diff(spread).max() < 2 * seconds / _WANTED
    in_the_first_half = sum(time < seconds / 2 for time in spread)
    assert 0.4 <= in_the_first_half / len(spread) <= 0.65
