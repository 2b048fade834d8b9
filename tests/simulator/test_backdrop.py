import numpy as np
import pytest

from simulator import FlashKind, FlashScanSettings, SceneSettingsInvalid
from simulator.backdrop import Backdrop
from simulator.geometry import Viewport

_VIEW = Viewport(width=64, height=96, margin=12, focal=72.0)


@pytest.mark.parametrize("nearest", [1.2, 3.0])
def test_the_wall_is_no_nearer_than_it_may_be_and_no_farther_than_six_faces(nearest: float) -> None:
    rng = np.random.default_rng(1)
    away = [1 / Backdrop(rng, _VIEW, nearest=nearest).nearness for _ in range(40)]
    assert nearest <= min(away) < nearest + 1
    assert 5 < max(away) <= 6


@pytest.mark.parametrize("nearest", [0.9, 6.5])
def test_an_impossible_wall_is_refused(nearest: float) -> None:
    with pytest.raises(SceneSettingsInvalid, match="nearest_wall"):
        FlashScanSettings(kind=FlashKind.GENUINE, nearest_wall=nearest)
