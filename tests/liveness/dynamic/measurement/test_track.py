import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.challenge.script import ColourStep, ScreenColour, Transition
from liveness.dynamic.measurement.track import (
    MOST_SAMPLES,
    Appearance,
    FlashTrack,
    Sent,
    TrackView,
    appearances,
    light_at,
    number_at,
)
from liveness.dynamic.sample import FlashSample, Region
from tests.liveness.builders import face_at
from tests.liveness.dynamic.light_scan import light_scan, seen, track_of

SCAN = light_scan(1)


def test_order_is_kept() -> None:
    track = FlashTrack()
    first, second = SCAN.samples[:2]
    assert track.append_sample(second)
    assert not track.append_sample(first)
    assert not track.append_sample(second)
    assert not track.append_sample(replace(SCAN.samples[2], arrival_time=math.nan))
    assert not track.append_sample(replace(SCAN.samples[2], capture_time=math.inf))
    assert len(track) == 1
    assert track.latest_capture == second.capture_time


def test_there_is_an_end() -> None:
    track = FlashTrack()
    sample = SCAN.samples[0]
    taken = [
        track.append_sample(replace(sample, capture_time=number / 30)) for number in range(MOST_SAMPLES + 5)
    ]
    assert sum(taken) == MOST_SAMPLES
    assert len(track.view().times) == MOST_SAMPLES


def test_a_missing_region_does_not_shift_the_face() -> None:
    whole = track_of(SCAN)
    track = FlashTrack()
    for number, sample in enumerate(SCAN.samples):
        linear = sample.linear.copy()
        if number % 2:
            linear[Region.CHIN] = np.nan
        track.append_sample(replace(sample, linear=linear))
    assert np.abs(track.view().face - whole.face).max() < 0.01


def test_too_little_skin_is_no_face() -> None:
    track = FlashTrack()
    linear = SCAN.samples[0].linear.copy()
    linear[:3] = np.nan
    track.append_sample(replace(SCAN.samples[0], linear=linear))
    track.append_sample(replace(SCAN.samples[1], face=None, linear=np.full_like(linear, np.nan)))
    assert not track.view().seen.any()
    assert not track.view().clean.any()


def test_a_fast_face_is_not_clean() -> None:
    track = FlashTrack()
    for number, x in enumerate((240.0, 241.0, 300.0, 301.0)):
        track.append_sample(replace(SCAN.samples[number], capture_time=number / 25, face=face_at(x)))
    assert track.view().moved.tolist() == [False, False, True, False]
    assert track.view().clean.tolist() == [True, True, False, True]
    assert track.view().speed[2] == pytest.approx(59 / 230 * 25, rel=0.02)


def test_face_and_room_that_leap_together_are_the_camera() -> None:
    track = FlashTrack()
    for number, gain in enumerate((1.0, 1.0, 1.5, 1.5)):
        sample = SCAN.samples[0]
        track.append_sample(
            replace(sample, capture_time=number / 25, linear=(sample.linear * gain).astype(np.float32))
        )
    assert track.view().leapt.tolist() == [False, False, True, False]


def test_only_a_detection_after_following_counts() -> None:
    track = FlashTrack()
    for followed, sample in zip((0, 0, 1, 1, 0, 1, 0, 0), SCAN.samples, strict=False):
        track.append_sample(replace(sample, followed=bool(followed)))
    assert track.view().detections.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_pose_distinguishes_turning_from_moving() -> None:
    track = FlashTrack()
    face = face_at()
    turned = face.five_points.copy()
    turned[2, 0] += 0.1 * face.eye_distance
    track.append_sample(replace(SCAN.samples[0], face=face))
    track.append_sample(replace(SCAN.samples[1], face=replace(face, five_points=turned)))
    pose = track.view().pose
    assert pose[1, 3] - pose[0, 3] == pytest.approx(0.1, abs=1e-4)
    assert pose[1, 2] == pytest.approx(pose[0, 2])


@given(values=st.lists(st.floats(0, 1, width=32) | st.just(math.nan), min_size=24, max_size=24))
def test_no_light_escapes_as_infinity(values: list[float]) -> None:
    track = FlashTrack()
    linear = np.array(values, np.float32).reshape(8, 3)
    for sample in SCAN.samples[:3]:
        track.append_sample(replace(sample, linear=linear))
    view = track.view()
    for found in (view.skin, view.face, view.background, view.integral):
        assert not np.isinf(found).any()
    assert np.isfinite(view.face[view.clean]).all()


COURSE_SCAN = light_scan(2)


def _step(number: int, level: int, *, scroll: float = 0.0) -> ColourStep:
    return ColourStep(
        number=number,
        colour=ScreenColour(level, level, level),
        transition=Transition.SCROLL_DOWN if scroll else Transition.FLAT,
        transition_seconds=scroll,
        hold_seconds=0.4,
        bits=2.8,
        last=False,
    )


def _track(claims: list[tuple[float, int, float | None]]) -> TrackView:
    track = FlashTrack()
    for time, step, since in claims:
        sample: FlashSample = replace(COURSE_SCAN.samples[0], capture_time=time, step=step, step_since=since)
        track.append_sample(sample)
    return track.view()


def test_honest_claims_are_taken() -> None:
    _, shown = seen(COURSE_SCAN)
    claimed = {one.step: one.step_since for one in COURSE_SCAN.samples if one.step}
    assert [one.step.number for one in shown] == list(range(1, len(COURSE_SCAN.revealed) + 1))
    assert [one.at for one in shown] == pytest.approx([claimed[one.step.number] for one in shown])
    assert max(one.early for one in shown) == 0


def test_a_step_cannot_appear_before_it_was_sent() -> None:
    track = _track([(1.0, 0, None), (1.1, 1, 0.2)])
    (shown,) = appearances(track, [Sent(_step(1, 200), at=9.0, after_capture=1.0)])
    assert shown.at == 1.0
    assert shown.early == pytest.approx(0.8)


def test_a_step_cannot_appear_after_the_frame_that_shows_it() -> None:
    track = _track([(1.0, 1, 7.0), (1.1, 1, 7.0)])
    (shown,) = appearances(track, [Sent(_step(1, 200), at=9.0, after_capture=0.5)])
    assert shown.at == 1.0


def test_steps_without_claimed_frames_are_ignored() -> None:
    track = _track([(1.0, 1, 0.9), (1.5, 3, 1.4)])
    sent = [Sent(_step(number, 200), at=9.0, after_capture=0.0) for number in (1, 2, 3)]
    assert [one.step.number for one in appearances(track, sent)] == [1, 3]


def test_light_jumps_and_scrolls() -> None:
    shown = [
        Appearance(_step(1, 0), 0.0, 0.0),
        Appearance(_step(2, 255), 1.0, 0.0),
        Appearance(_step(3, 0, scroll=0.4), 2.0, 0.0),
    ]
    light = light_at(shown, np.array([-1.0, 0.99, 1.0001, 1.5, 2.1, 2.2, 2.3, 3.0]))
    assert light[:, 0] == pytest.approx([0, 0, 1, 1, 0.75, 0.5, 0.25, 0], abs=1e-3)
    assert number_at(shown, np.array([-0.1, 0.5, 1.02, 1.5, 2.2, 2.41, 2.6]), margin=0.04).tolist() == [
        -1, 0, -1, 1, -1, -1, 2
    ]  # fmt: skip


@given(
    claims=st.lists(
        st.tuples(st.integers(0, 4), st.none() | st.floats(-1e6, 1e6, allow_nan=False) | st.just(math.nan)),
        min_size=1,
        max_size=30,
    ),
    after=st.lists(st.floats(0, 3), min_size=3, max_size=3),
)
def test_no_claim_breaks_the_order(claims: list[tuple[int, float | None]], after: list[float]) -> None:
    track = _track([(number / 10, step, since) for number, (step, since) in enumerate(claims)])
    sent = [Sent(_step(n + 1, 200), 0.0, time) for n, time in enumerate(sorted(after))]
    shown = appearances(track, sent)
    times = [one.at for one in shown]
    assert times == sorted(set(times))
    for one in shown:
        frames = [number / 10 for number, (step, _) in enumerate(claims) if step == one.step.number]
        assert one.at <= frames[0]
