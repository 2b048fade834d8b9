from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import ObservationError
from liveness.selection import FrameSelector, frame_quality, select_frames, spread_of
from tests.liveness.builders import face_at, observation, observations
from vision.face import HeadPose


def test_a_full_scan_gives_eight_frames_spread_in_time() -> None:
    chosen = select_frames(observations(60))
    assert len(chosen) == 8
    assert chosen == tuple(sorted(chosen))
    gaps = [later - earlier for earlier, later in pairwise(chosen)]
    assert max(gaps) <= 3 * min(gaps)
    assert chosen[0] <= 10
    assert chosen[-1] >= 49


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nested_scans_give_the_available_frames(count: int) -> None:
    assert select_frames(observations(count)) == tuple(range(count))


@pytest.mark.parametrize("change", [{"faces": 0, "face": None}, {"faces": 2}, {"sharpness": None}])
def test_frames_without_exactly_one_face_are_never_kept(change: dict[str, object]) -> None:
    selector = FrameSelector()
    offer = selector.select_frame(observation(0, **change))
    assert (offer.keep, offer.replaced, selector.selected, selector.best) == (False, None, (), None)


@pytest.mark.parametrize(
    "worse",
    [
        {"sharpness": 15.0},
        {"eyes": (0.1, 0.1)},
        {"pose": HeadPose(30, 0, 0)},
        {"luminance": 20.0},
        {"luminance": 245.0},
        {"face": face_at(x=20)},
    ],
)
def test_each_flaw_lowers_quality(worse: dict[str, object]) -> None:
    assert 0 < frame_quality(observation(0, **worse)) < 0.8 * frame_quality(observation(0))


def test_blurred_and_closed_eyed_frames_make_room_for_better_ones() -> None:
    frames = [replace(frame, sharpness=10.0) if frame.index % 2 else frame for frame in observations(40)]
    assert all(index % 2 == 0 for index in select_frames(frames))


def test_the_best_frame_stays_whatever_comes_after() -> None:
    selector = FrameSelector(count=3)
    frames = [observation(index, sharpness=400.0 if index == 4 else 60.0) for index in range(50)]
    for frame in frames:
        selector.select_frame(frame)
    assert 4 in selector.selected
    assert selector.best == 4


@given(st.lists(st.floats(0, 500), max_size=60), st.integers(1, 9))
def test_the_server_keeps_exactly_the_selected_frames(sharpness: list[float], count: int) -> None:
    selector, held = FrameSelector(count=count), set[int]()
    for index, value in enumerate(sharpness):
        offer = selector.select_frame(observation(index, sharpness=value))
        if offer.keep:
            held.add(index)
        if offer.replaced is not None:
            held.remove(offer.replaced)
        assert held == set(selector.selected)
        assert len(held) <= count
    assert (selector.best is None) == (not sharpness)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ObservationError):
        FrameSelector(count=0)
    with pytest.raises(ObservationError):
        select_frames([observation(2), observation(1)])


def test_a_followed_frame_is_never_kept() -> None:
    assert frame_quality(observation(0)) > 0
    assert frame_quality(observation(0, followed=True)) == 0
    assert select_frames([observation(0), observation(1, followed=True), observation(2)]) == (0, 2)


def test_the_best_frame_stays_longest_and_then_isolated_ones() -> None:
    selector = FrameSelector(count=5)
    for index in (0, 1, 2, 10, 20):
        selector.select_frame(observation(index, sharpness=200.0 if index == 10 else 100.0))
    assert selector.likeliest_to_stay == (10, 20, 2, 0, 1)
    assert selector.likeliest_to_stay[0] == selector.best


def test_before_the_second_frame_there_is_not_much_to_order() -> None:
    assert not FrameSelector().likeliest_to_stay
    selector = FrameSelector(count=3)
    selector.select_frame(observation(0))
    assert selector.likeliest_to_stay == (0,)


def test_dropped_frames_were_mostly_the_predicted_ones() -> None:
    """Not always: a new frame may be close to the frame before it, or be the best."""
    random = np.random.default_rng(7)
    places = []
    for _ in range(20):
        selector = FrameSelector()
        for index in range(40):
            before = selector.likeliest_to_stay
            offer = selector.select_frame(observation(index, sharpness=float(random.uniform(50, 200))))
            if offer.replaced is not None:
                places.append(before.index(offer.replaced))
    assert len(places) > 100
    assert np.mean([place >= 6 for place in places]) > 0.8


def test_a_few_of_many_are_spread_from_the_first_to_the_last() -> None:
    assert spread_of([3, 5, 8, 9, 12, 20, 22, 30], 4) == (3, 8, 20, 30)
    assert spread_of([3, 5], 4) == (3, 5)
    assert spread_of([], 4) == ()
    assert spread_of([3, 5, 8], 1) == (3,)
