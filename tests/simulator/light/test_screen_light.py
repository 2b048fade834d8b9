import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import PhoneSettings, SceneSettingsInvalid, ScreenLight

_EXACT = PhoneSettings(
    latency_seconds=0.1, latency_jitter_seconds=0.0, hidden_seconds=0.03, panel_seconds=0.0
)
_WHITE, _BLUE, _RED = (255, 255, 255), (0, 0, 255), (255, 0, 0)


def _at(light: ScreenLight, time: float, bands: int = 4) -> np.typing.NDArray[np.float64]:
    return np.asarray(light.bands(np.array([time]), bands=bands)[0])


def test_before_the_first_colour_the_screen_is_an_even_grey() -> None:
    light = ScreenLight(_EXACT)
    assert light.appeared(5.0) == (0, 0.0)
    assert np.ptp(_at(light, 5.0)) == 0
    assert np.array_equal(_at(light, 5.0), light.idle_bands(bands=4))


def test_a_colour_appears_after_the_latency_with_a_refresh_and_shines_a_little_later() -> None:
    light = ScreenLight(_EXACT)
    light.show(_WHITE, at=1.0)
    number, since = light.appeared(2.0)
    assert number == 1
    assert 1.1 <= since < 1.1 + 1 / 60 + 1e-9
    assert since * 60 == pytest.approx(round(since * 60))
    assert light.appeared(since - 1e-6) == (0, 0.0)
    assert np.array_equal(_at(light, since + 0.029), light.idle_bands(bands=4))
    assert _at(light, since + 0.031) == pytest.approx(np.full((4, 3), 400 * 0.8))


def test_channels_are_blue_green_red() -> None:
    light = ScreenLight(_EXACT)
    light.show(_BLUE, at=0.0)
    assert np.argmax(_at(light, 1.0)[0]) == 0


def test_a_flash_lasts_from_its_first_colour_until_the_screen_returns_to_normal() -> None:
    light = ScreenLight(_EXACT)
    light.show(_WHITE, at=1.0)
    light.show(_BLUE, at=2.0)
    light.restore(at=3.0)
    light.show(_RED, at=5.0)
    first, idle, again = (light.appeared(time)[1] for time in (1.5, 4.0, 6.0))
    assert light.flash_since(first - 1e-6) is None
    assert light.flash_since(1.5) == light.flash_since(2.5) == first
    assert light.flash_since(idle) is None
    assert light.flash_since(6.0) == again
    assert np.array_equal(_at(light, 4.0), light.idle_bands(bands=4))
    assert light.appeared(4.0)[0] == 3


def test_a_scrolling_colour_moves_downward() -> None:
    light = ScreenLight(_EXACT)
    light.show(_BLUE, at=0.0)
    light.show(_RED, at=1.0, scroll_seconds=0.4)
    begun = light.appeared(2.0)[1] + 0.03
    red = light.bands(begun + np.array([0.06, 0.16, 0.26, 0.36, 0.41]), bands=4)[..., 2]
    lit = red / red.max()
    for moment in lit:
        assert np.all(np.diff(moment) <= 1e-9), "what is above is lit no later than what is below"
    assert [int((moment > 0.5).sum()) for moment in lit] == [1, 2, 3, 4, 4]


def test_a_slow_panel_takes_its_time() -> None:
    slow = PhoneSettings(latency_jitter_seconds=0.0, hidden_seconds=0.0, panel_seconds=0.05)
    light = ScreenLight(slow)
    light.show(_WHITE, at=0.0)
    since = light.appeared(1.0)[1]
    full = 400 * 0.8
    idle = light.idle_bands(bands=1)[0, 0]
    assert _at(light, since + 0.05, 1)[0, 0] == pytest.approx(full + (idle - full) * np.exp(-1))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 0.6), st.floats(0, 1)), min_size=1, max_size=30),
    st.integers(0, 1000),
)
def test_whatever_is_reported_light_is_finite_and_appearances_rise(
    steps: list[tuple[float, float]], seed: int
) -> None:
    light, time, since = ScreenLight(seed=seed), 0.0, []
    for index, (gap, scroll) in enumerate(steps):
        time += gap
        light.show((index * 37 % 256, index * 91 % 256, 255), at=time, scroll_seconds=scroll)
    times = np.linspace(0, time + 3, 400)
    shone = light.bands(times, bands=5)
    assert np.isfinite(shone).all()
    assert shone.min() >= 0
    assert shone.max() <= 400 * 0.8 + 1e-6
    numbers = [light.appeared(moment)[0] for moment in times]
    assert numbers == sorted(numbers)
    since = [light.appeared(moment)[1] for moment in times]
    assert since == sorted(since)
    assert numbers[-1] == len(steps)


def test_colours_known_to_an_attacker_have_no_delay() -> None:
    light = ScreenLight(_EXACT)
    light.show(_WHITE, at=1.0)
    assert np.array_equal(light.undelayed_bands(np.array([0.999]), bands=2)[0], light.idle_bands(bands=2))
    assert light.undelayed_bands(np.array([1.0]), bands=2)[0] == pytest.approx(np.full((2, 3), 400 * 0.8))


def test_latency_jitters_by_seed() -> None:
    def since(seed: int) -> float:
        light = ScreenLight(PhoneSettings(latency_jitter_seconds=0.05, refresh_hertz=240.0), seed=seed)
        light.show(_WHITE, at=1.0)
        return light.appeared(3.0)[1]

    assert since(1) == since(1)
    assert len({since(seed) for seed in range(8)}) > 3


def test_settings_outside_their_range_are_refused() -> None:
    with pytest.raises(SceneSettingsInvalid, match="luminance"):
        PhoneSettings(luminance=0.0)
    with pytest.raises(SceneSettingsInvalid, match="coverage"):
        PhoneSettings(coverage=float("nan"))
