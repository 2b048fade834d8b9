import numpy as np
import pytest

from simulator import AmbientPreset, AmbientSettings, SceneSettingsInvalid
from simulator.light.sources import Ambient


def _front() -> np.typing.NDArray[np.float32]:
    return np.array([0.0, 0.0, 1.0], np.float32)


@pytest.mark.parametrize("preset", list(AmbientPreset))
def test_the_illuminance_stated_is_that_of_the_front(preset: AmbientPreset) -> None:
    for seed in range(20):
        ambient = Ambient(AmbientSettings(preset), np.random.default_rng(seed))
        assert float(ambient.irradiance(_front())) == pytest.approx(ambient.lux, rel=0.02)


def test_presets_get_brighter_from_dark_to_sun() -> None:
    lux = [Ambient(AmbientSettings(p), np.random.default_rng(0)).lux for p in AmbientPreset]
    assert lux == sorted(lux)
    assert lux[0] < 7
    assert lux[-1] > 20_000


def test_stated_lux_and_kelvin_win_over_the_preset() -> None:
    ambient = Ambient(AmbientSettings(lux=77.0, kelvin=2000.0), np.random.default_rng(0))
    assert ambient.lux == 77.0
    assert ambient.colour[2] > 2 * ambient.colour[0]


def test_lamps_swing_and_daylight_does_not() -> None:
    times = np.linspace(0, 0.02, 50)
    lamp = Ambient(AmbientSettings(AmbientPreset.INDOOR), np.random.default_rng(3)).flicker(times)
    day = Ambient(AmbientSettings(AmbientPreset.SHADE), np.random.default_rng(3)).flicker(times)
    assert np.ptp(lamp) > 0.001
    assert np.ptp(day) == 0


def test_impossible_light_is_refused() -> None:
    with pytest.raises(SceneSettingsInvalid, match="lux"):
        AmbientSettings(lux=0.0)
