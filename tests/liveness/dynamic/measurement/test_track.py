import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.measurement.track import MOST_SAMPLES, FlashTrack
from liveness.dynamic.sample import Region
from tests.liveness.builders import face_at
from tests.liveness.dynamic.light_scan import light_scan, track_of

SCAN = light_scan(1)


def test_order_is_kept() -> None:
    track = FlashTrack()
    first, second = SCAN.samples[:2]
    assert track.add(second)
    assert not track.add(first)
    assert not track.add(second)
    assert not track.add(replace(SCAN.samples[2], arrival_time=math.nan))
    assert not track.add(replace(SCAN.samples[2], capture_time=math.inf))
    assert len(track) == 1
    assert track.latest_capture == second.capture_time


def test_there_is_an_end() -> None:
    track = FlashTrack()
    sample = SCAN.samples[0]
    taken = [track.add(replace(sample, capture_time=number / 30)) for number in range(MOST_SAMPLES + 5)]
    assert sum(taken) == MOST_SAMPLES
    assert len(track.view().times) == MOST_SAMPLES


def test_a_missing_region_does_not_shift_the_face() -> None:
    whole = track_of(SCAN)
    track = FlashTrack()
    for number, sample in enumerate(SCAN.samples):
        linear = sample.linear.copy()
        if number % 2:
            linear[Region.CHIN] = np.nan
        track.add(replace(sample, linear=linear))
    assert np.abs(track.view().face - whole.face).max() < 0.01


def test_too_little_skin_is_no_face() -> None:
    track = FlashTrack()
    linear = SCAN.samples[0].linear.copy()
    linear[:3] = np.nan
    track.add(replace(SCAN.samples[0], linear=linear))
    track.add(replace(SCAN.samples[1], face=None, linear=np.full_like(linear, np.nan)))
    assert not track.view().seen.any()
    assert not track.view().clean.any()


def test_a_fast_face_is_not_clean() -> None:
    track = FlashTrack()
    for number, x in enumerate((240.0, 241.0, 300.0, 301.0)):
        track.add(replace(SCAN.samples[number], capture_time=number / 25, face=face_at(x)))
    assert track.view().moved.tolist() == [False, False, True, False]
    assert track.view().clean.tolist() == [True, True, False, True]
    assert track.view().speed[2] == pytest.approx(59 / 230 * 25, rel=0.02)


def test_face_and_room_that_leap_together_are_the_camera() -> None:
    track = FlashTrack()
    for number, gain in enumerate((1.0, 1.0, 1.5, 1.5)):
        sample = SCAN.samples[0]
        track.add(replace(sample, capture_time=number / 25, linear=(sample.linear * gain).astype(np.float32)))
    assert track.view().leapt.tolist() == [False, False, True, False]


def test_only_a_detection_after_following_counts() -> None:
    track = FlashTrack()
    for followed, sample in zip((0, 0, 1, 1, 0, 1, 0, 0), SCAN.samples, strict=False):
        track.add(replace(sample, followed=bool(followed)))
    assert track.view().detections.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_pose_distinguishes_turning_from_moving() -> None:
    track = FlashTrack()
    face = face_at()
    turned = face.five_points.copy()
    turned[2, 0] += 0.1 * face.eye_distance
    track.add(replace(SCAN.samples[0], face=face))
    track.add(replace(SCAN.samples[1], face=replace(face, five_points=turned)))
    pose = track.view().pose
    assert pose[1, 3] - pose[0, 3] == pytest.approx(0.1, abs=1e-4)
    assert pose[1, 2] == pytest.approx(pose[0, 2])


@given(values=st.lists(st.floats(0, 1, width=32) | st.just(math.nan), min_size=24, max_size=24))
def test_no_light_escapes_as_infinity(values: list[float]) -> None:
    track = FlashTrack()
    linear = np.array(values, np.float32).reshape(8, 3)
    for sample in SCAN.samples[:3]:
        track.add(replace(sample, linear=linear))
    view = track.view()
    for found in (view.skin, view.face, view.background, view.integral):
        assert not np.isinf(found).any()
    assert np.isfinite(view.face[view.clean]).all()
