from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import CameraSettings
from simulator.camera import Camera, capture_times, even_times

_STEADY = CameraSettings(exposure_drift=0.0, white_balance_drift=0.0, read_noise=1.0, shot_noise=0.02)


@given(st.integers(0, 2**32), st.integers(1, 200), st.floats(5, 60), st.floats(0, 0.05))
def test_capture_times_start_at_zero_and_grow(seed: int, frames: int, rate: float, jitter: float) -> None:
    times = capture_times(
        np.random.default_rng(seed), frames=frames, frames_per_second=rate, jitter_seconds=jitter
    )
    assert len(times) == frames
    assert times[0] == 0.0
    assert all(later - earlier >= 0.249 / rate for earlier, later in pairwise(times))


def test_the_jitter_is_the_one_asked_for() -> None:
    times = capture_times(np.random.default_rng(1), frames=2000, frames_per_second=20, jitter_seconds=0.0025)
    errors = np.array(times) - np.arange(2000) / 20
    assert errors.std() == pytest.approx(0.0025, rel=0.1)
    assert np.diff(even_times(frames=100, frames_per_second=20)).std() < 1e-12


@pytest.mark.parametrize("level", [20, 100, 220])
def test_noise_grows_with_the_signal_as_shot_noise_does(level: int) -> None:
    camera = Camera(_STEADY, np.random.default_rng(2), width=320, height=240)
    flat = np.full((240, 320, 3), level, np.uint8)
    frames = np.stack([camera.take(flat, time / 20) for time in range(20)]).astype(np.float64)
    expected = 1.0 + 0.02 * level
    assert frames.mean() == pytest.approx(level, abs=0.3)
    # Rounding to whole steps adds a twelfth.
    assert frames.var() == pytest.approx(expected + 1 / 12, rel=0.1)


def test_two_frames_share_no_noise() -> None:
    camera = Camera(_STEADY, np.random.default_rng(3), width=320, height=240)
    flat = np.full((240, 320, 3), 128, np.uint8)
    frames = [camera.take(flat, time / 20).astype(np.float64).ravel() - 128 for time in range(12)]
    for earlier, later in pairwise(frames):
        assert abs(np.corrcoef(earlier, later)[0, 1]) < 0.1


def test_exposure_drifts_slowly() -> None:
    drifting = CameraSettings(exposure_drift=0.03, white_balance_drift=0.0)
    camera = Camera(drifting, np.random.default_rng(4), width=160, height=160)
    flat = np.full((160, 160, 3), 128, np.uint8)
    means = np.array([camera.take(flat, time / 20).mean() for time in range(100)])
    assert means.std() > 1.0
    assert np.abs(np.diff(means)).max() < 1.5
