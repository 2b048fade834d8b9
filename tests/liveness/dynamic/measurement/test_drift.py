import math

import numpy as np
import pytest

from liveness.dynamic.measurement.track import fit_drift, light_at
from tests.liveness.dynamic.light_scan import LAG, light_scan, seen


def _rough(time: float) -> float:
    return 0.25 * math.sin(2.9 * time) + 0.1 * math.sin(9 * time)


def _explained(hidden: slice) -> float:
    """Share of the face's variance that the screen explains, with frames that do not show the background."""
    track, shown = seen(light_scan(4, gain=_rough, noise=0.003))
    rows = np.flatnonzero(track.clean)
    track.background[hidden] = np.nan
    drift = fit_drift(track, rows)
    assert drift is not None
    screen = drift.clear(light_at(shown, track.times[rows] - LAG, blur=0.04))
    face = drift.clear_of_gain(track.face[rows], screen)
    rest = face - screen @ np.linalg.lstsq(screen, face, rcond=None)[0]
    return 1 - float((rest**2).sum() / (face**2).sum())


def test_the_background_takes_the_cameras_gain_out() -> None:
    assert _explained(slice(0)) > 0.9
    assert _explained(slice(None)) < 0.8


@pytest.mark.parametrize("hidden", [slice(20, 21), slice(30, 36), slice(0, 2), slice(0, None, 8)])
def test_a_few_frames_without_background_change_little(hidden: slice) -> None:
    assert _explained(hidden) > 0.88


def test_another_flash_on_face_and_wall_is_no_gain() -> None:
    """Otherwise only the part that fits the screen would remain, and any flash would answer this one."""
    track, shown = seen(light_scan(4, noise=0.003))
    rows = np.flatnonzero(track.clean)
    rng = np.random.default_rng(1)
    for _ in range(8):
        film = np.repeat(rng.choice([-0.5, 0.5], (len(track.times) // 9 + 1, 3)), 9, axis=0)
        track.face[:] = film[: len(track.face)]
        track.background[:] = film[: len(track.face)] + rng.normal(0, 0.003, track.face.shape)
        drift = fit_drift(track, rows)
        assert drift is not None
        screen = drift.clear(light_at(shown, track.times[rows] - LAG, blur=0.04))
        face = drift.clear_of_gain(track.face[rows], screen)
        rest = face - screen @ np.linalg.lstsq(screen, face, rcond=None)[0]
        assert 1 - float((rest**2).sum() / (face**2).sum()) < 0.6


def test_constant_and_slope_are_removed() -> None:
    track, _ = seen(light_scan(5))
    rows = np.flatnonzero(track.clean)
    drift = fit_drift(track, rows)
    assert drift is not None
    time = track.times[rows]
    cleared = drift.clear(np.stack([np.ones_like(time), time], axis=1))
    assert np.abs(cleared).max() == pytest.approx(0, abs=1e-9)


def test_a_few_frames_are_not_measured() -> None:
    track, _ = seen(light_scan(5))
    assert fit_drift(track, np.arange(5)) is None
