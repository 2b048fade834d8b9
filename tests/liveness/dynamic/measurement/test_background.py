import numpy as np
import pytest

from liveness.dynamic.measurement.background import (
    BackgroundFinding,
    background_signal,
    measure_background,
)
from liveness.dynamic.measurement.course import Appearance
from liveness.dynamic.measurement.response import Response, fit_response
from liveness.dynamic.measurement.track import TrackView
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.light_scan import LAG, light_scan, seen

SETTINGS = load_flash_model().background


def _measured(track: TrackView, shown: tuple[Appearance, ...]) -> tuple[BackgroundFinding | None, Response]:
    response = fit_response(track, shown, lag=LAG, settings=load_flash_model().response)
    assert response is not None
    return measure_background(track, shown, response, lag=LAG), response


@pytest.mark.parametrize("room", [0.0, 0.1, 0.5, 1.0])
def test_the_rooms_share_is_found(room: float) -> None:
    finding, response = _measured(*seen(light_scan(3, room=room)))
    assert finding is not None
    assert finding.share == pytest.approx(room, abs=0.12)
    assert finding.error < 0.05
    assert background_signal(finding, response.strength, SETTINGS).passed is (room < 0.6)


@pytest.mark.slow
def test_the_error_is_that_of_the_share() -> None:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(60):
        track, shown = seen(light_scan(3, room=0.3))
        track.background[:] += rng.normal(0, 0.05, track.background.shape)
        finding, _ = _measured(track, shown)
        assert finding is not None
        found.append(finding)
    spread = float(np.std([one.share for one in found]))
    assert float(np.median([one.error for one in found])) == pytest.approx(spread, rel=0.4)


@pytest.mark.parametrize("pull", [0.4, 0.8])
def test_a_camera_that_pulls_against_the_flash_hides_no_answer(pull: float) -> None:
    track, shown = seen(light_scan(3, room=1.0))
    gain = -pull * track.face.mean(axis=1)[:, None]
    track.face[:] += gain
    track.background[:] += gain
    finding, _ = _measured(track, shown)
    assert finding is not None
    assert finding.share == pytest.approx(1.0, abs=0.2)


def test_a_background_lost_in_noise_is_not_measured() -> None:
    track, shown = seen(light_scan(3, room=1.0, strength=0.05))
    track.background[:] += np.random.default_rng(1).normal(0, 0.3, track.background.shape)
    finding, response = _measured(track, shown)
    assert finding is not None
    assert finding.error > 0.2
    assert not background_signal(finding, response.strength, SETTINGS).assessed


def test_a_face_that_fills_the_frame_has_no_background() -> None:
    track, shown = seen(light_scan(3))
    track.background[:] = np.nan
    finding, response = _measured(track, shown)
    assert finding is None
    assert not background_signal(finding, response.strength, SETTINGS).assessed


def test_in_the_dark_nothing_is_measured() -> None:
    assert not background_signal(BackgroundFinding(0.9, 0.01), 1.5, SETTINGS).assessed
