import numpy as np
import pytest

from liveness.dynamic.background import BackgroundSettings, background_signal, measure_background
from liveness.dynamic.response import ResponseSettings, fit_response
from tests.liveness.dynamic.light_scan import LAG, light_scan, seen

SETTINGS = BackgroundSettings()


@pytest.mark.parametrize("room", [0.0, 0.1, 0.5, 1.0])
def test_the_rooms_share_is_found(room: float) -> None:
    track, shown = seen(light_scan(3, room=room))
    response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
    assert response is not None
    share = measure_background(track, shown, response, lag=LAG)
    assert share == pytest.approx(room, abs=0.12)
    assert background_signal(share, response.strength, SETTINGS).passed is (room < 0.6)


def test_a_face_that_fills_the_frame_has_no_background() -> None:
    track, shown = seen(light_scan(3))
    response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
    assert response is not None
    track.background[:] = np.nan
    share = measure_background(track, shown, response, lag=LAG)
    assert share is None
    assert not background_signal(share, response.strength, SETTINGS).assessed


def test_in_the_dark_nothing_is_told() -> None:
    assert not background_signal(0.9, 1.5, SETTINGS).assessed
