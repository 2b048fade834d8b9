"""Light from a screen and a room, its reflection, and the camera that films it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.exposure import ExposureClaim
from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    Diffuse,
    Emission,
    FlashCameraSettings,
    PhoneSettings,
    ScreenLight,
    ToneCurve,
)
from lab.simulator.light.phone_camera import PhoneCamera, tone_table
from lab.simulator.light.sources import (
    Ambient,
    AreaLight,
    from_linear,
    kelvin_colour,
    linear_of_srgb,
    linear_table,
    luminance,
    melanin_factor,
)
from lab.simulator.light.surface import Material, diffuse_answer, gloss_answer

_UP = np.array([0.0, 0.0, 1.0], np.float32)


@pytest.mark.parametrize("preset", list(AmbientPreset))
def test_the_illuminance_stated_is_that_of_the_front(preset: AmbientPreset) -> None:
    for seed in range(20):
        ambient = Ambient(AmbientSettings(preset), np.random.default_rng(seed))
        assert float(ambient.irradiance(_UP)) == pytest.approx(ambient.lux, rel=0.02)


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


_PHONE = PhoneSettings(width_mm=65.0, height_mm=140.0, below_camera_mm=0.0)


def _light(emission: Emission, bands: int = 5) -> AreaLight:
    return AreaLight(phone=_PHONE, bands=bands, emission=emission)


def _in_front(
    light: AreaLight, distance: float, x: float = 0.0, y: float = 70.0
) -> np.typing.NDArray[np.float32]:
    """All bands together at one place, shape (3,)."""
    place = (np.full((1, 1), value, np.float32) for value in (x, y, -distance))
    return np.asarray(light.vectors(*place)[:, :, 0, 0].sum(axis=0), dtype=np.float32)


@pytest.mark.parametrize("emission", list(Emission))
def test_twice_the_distance_is_a_quarter_of_the_light(emission: Emission) -> None:
    light = _light(emission)
    near, far = _in_front(light, 1500.0)[2], _in_front(light, 3000.0)[2]
    assert near / far == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize("emission", list(Emission))
def test_a_white_screen_gives_a_face_tens_of_lux(emission: Emission) -> None:
    lux = 400 * float(_in_front(_light(emission), 300.0)[2])
    assert lux == pytest.approx(400 * 0.065 * 0.14 / 0.09, rel=0.1)
    assert 30 < lux < 60


def test_both_ways_of_adding_up_agree() -> None:
    points, area = _light(Emission.POINTS), _light(Emission.AREA)
    for distance in (250.0, 400.0):
        for x, y in ((0.0, 0.0), (80.0, -60.0), (-60.0, 150.0)):
            assert _in_front(points, distance, x, y) == pytest.approx(
                _in_front(area, distance, x, y), rel=0.03, abs=1e-4
            )


@pytest.mark.parametrize("emission", list(Emission))
def test_light_comes_from_where_the_screen_is(emission: Emission) -> None:
    right_of_it = _in_front(_light(emission), 300.0, x=200.0)
    above_it = _in_front(_light(emission), 300.0, y=-200.0)
    assert right_of_it[0] < 0 < right_of_it[2]
    assert above_it[1] > 0


def test_upper_bands_light_the_upper_part_more() -> None:
    few = _light(Emission.AREA).vectors(
        np.zeros((1, 2), np.float32),
        np.array([[-60.0, 200.0]], np.float32),
        np.full((1, 2), -250.0, np.float32),
    )
    top, bottom = few[0, 2, 0], few[-1, 2, 0]
    assert top[0] > bottom[0]
    assert bottom[1] > top[1]


def test_a_directed_screen_is_darker_from_aside() -> None:
    points, directed = _light(Emission.POINTS), _light(Emission.DIRECTED)
    shares = []
    for degrees in (0.0, 30.0, 51.0):
        angle = np.deg2rad(degrees)
        place = 3000.0 * float(np.cos(angle)), 3000.0 * float(np.sin(angle))
        shares.append(float(_in_front(directed, *place)[2] / _in_front(points, *place)[2]))
    assert shares == pytest.approx([1.0, np.cos(np.deg2rad(30.0)) ** 1.5, 0.5], abs=0.02)


def test_every_8_bit_value_comes_back() -> None:
    assert np.array_equal(from_linear(linear_table()), np.arange(256))


def test_srgb_triples_are_turned_into_the_order_of_frames() -> None:
    assert linear_of_srgb((255, 0, 0)) == pytest.approx([0, 0, 1])


@settings(deadline=None)
@given(st.floats(1700, 20_000))
def test_light_of_any_temperature_has_luminance_1_and_positive_channels(kelvin: float) -> None:
    colour = kelvin_colour(kelvin)
    assert luminance(colour) == pytest.approx(1.0)
    assert colour.min() > 0


def test_lamps_are_warm_and_shade_is_blue() -> None:
    lamp, day, shade = kelvin_colour(2900), kelvin_colour(6500), kelvin_colour(10_000)
    assert lamp[2] > lamp[1] > lamp[0]
    assert day == pytest.approx([1, 1, 1], abs=0.06)
    assert shade[0] > shade[2]


def test_melanin_darkens_blue_most() -> None:
    factor = melanin_factor(1.0)
    assert factor[0] < factor[1] < factor[2] < 1
    assert melanin_factor(0.0) == pytest.approx([1, 1, 1])
    assert 0.15 < float(luminance(factor)) < 0.35


def _tilted(degrees: float) -> np.typing.NDArray[np.float32]:
    angle = np.deg2rad(degrees)
    return np.array([np.sin(angle), 0.0, np.cos(angle)], np.float32).reshape(3, 1, 1)


def _from_front() -> np.typing.NDArray[np.float32]:
    return (10 * _UP).reshape(1, 3, 1, 1).astype(np.float32)


def test_lambert_is_the_cosine() -> None:
    for degrees in (0.0, 30.0, 60.0, 89.0):
        answer = diffuse_answer(Diffuse.LAMBERT, _from_front(), _tilted(degrees))
        assert float(answer[0, 0, 0]) == pytest.approx(10 * np.cos(np.deg2rad(degrees)), abs=1e-4)


def test_surfaces_facing_away_are_dark() -> None:
    assert diffuse_answer(Diffuse.LAMBERT, _from_front(), _tilted(120.0)).max() == 0
    assert diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(120.0)).max() == 0
    assert diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(95.0)).max() > 0


def test_wrapped_is_flatter_and_no_brighter_in_front() -> None:
    front = float(diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(0.0))[0, 0, 0])
    aslant = float(diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(60.0))[0, 0, 0])
    assert front == pytest.approx(10.0, rel=1e-3)
    assert aslant > 10 * np.cos(np.deg2rad(60.0))


def test_a_film_darkens_oblique_surfaces() -> None:
    front = float(diffuse_answer(Diffuse.COATED, _from_front(), _tilted(0.0))[0, 0, 0])
    assert front == pytest.approx(10.0, rel=1e-3)
    shares = [
        float(diffuse_answer(Diffuse.COATED, _from_front(), _tilted(degrees))[0, 0, 0])
        / (10 * np.cos(np.deg2rad(degrees)))
        for degrees in (30.0, 60.0)
    ]
    assert 1 > shares[0] > shares[1]
    # (1 - (1 - cos/2)^5) for light and camera, relative to the value in front (Ashikhmin and Shirley 2000).
    assert shares[1] == pytest.approx(((1 - 0.75**5) / (1 - 0.5**5)) ** 2, rel=1e-3)
    assert diffuse_answer(Diffuse.COATED, _from_front(), _tilted(120.0)).max() == 0


def test_gloss_shines_only_where_the_mirror_points() -> None:
    material = Material(gloss=0.04, sharpness=5)
    halfway = np.tile(_UP.reshape(1, 3, 1, 1), (1, 1, 1, 1))
    mirror = gloss_answer(material, _from_front(), halfway, _tilted(0.0)).max()
    aside = gloss_answer(material, _from_front(), halfway, _tilted(40.0)).max()
    assert mirror == pytest.approx(0.04 * (32 + 8) / 8 * 10)
    assert aside < 0.01 * mirror


_QUIET = FlashCameraSettings(noise=0.0, exposure_seconds=0.3, white_balance_seconds=0.5)
_SIZE = (320, 240)


def _scene(*lux: float) -> np.typing.NDArray[np.float32]:
    return np.full((*_SIZE, 3), lux, np.float32)


def _camera(settings: FlashCameraSettings, *lux: float) -> PhoneCamera:
    """A camera that started in a scene of this light."""
    camera = PhoneCamera(settings, np.random.default_rng(1), width=_SIZE[1], height=_SIZE[0])
    camera.start(_scene(*lux))
    return camera


def _take(
    camera: PhoneCamera, scene: np.typing.NDArray[np.float32], time: float, *, locked: bool = True
) -> tuple[np.typing.NDArray[np.uint8], ExposureClaim]:
    exposed = scene * camera.gains.astype(np.float32) + np.float32(camera.pedestal)
    return camera.take(exposed, time, locked=locked)


def test_exposure_pulls_a_brighter_scene_back_and_takes_its_time() -> None:
    camera = _camera(_QUIET, 50)
    levels = [_take(camera, _scene(50) * (1 if i < 3 else 2), i / 20)[0].mean() for i in range(60)]
    assert levels[0] == pytest.approx(levels[2], abs=1)
    assert levels[3] > levels[2] + 30
    assert levels[9] < levels[3] - 10, "after one time constant most of it is gone"
    assert levels[-1] == pytest.approx(levels[0], abs=4)
    assert all(later <= earlier for earlier, later in pairwise(levels[3:]))


def test_exposure_follows_until_it_is_locked() -> None:
    camera = _camera(replace(_QUIET, exposure_locked=True), 50)
    taken = [_take(camera, _scene(100), i / 20, locked=i >= 20) for i in range(60)]
    levels = [float(pixels.mean()) for pixels, _ in taken]
    assert levels[19] < levels[0] - 30, "it had a second to follow the brighter scene"
    assert levels[-1] == levels[20]
    assert [said.exposure_locked for _, said in taken] == [i >= 20 for i in range(60)]


def test_white_balance_follows_a_change_of_colour_by_part_unless_locked() -> None:
    for locked in (False, True):
        camera = _camera(replace(_QUIET, white_balance_locked=locked), 50)
        seen = [_take(camera, _scene(80, 50, 50), i / 20)[0].mean(axis=(0, 1)) for i in range(60)]
        excess = [float(colour[0] - colour[2]) for colour in seen]
        assert excess[0] > 20
        assert excess[-1] == pytest.approx(excess[0], abs=8) if locked else excess[-1] < 0.7 * excess[0]
        assert excess[-1] > 5


def test_less_light_is_noisier() -> None:
    def noise(lux: float) -> float:
        return float(_take(_camera(FlashCameraSettings(), lux), _scene(lux), 0.0)[0].std())

    assert noise(2) > 1.5 * noise(20) > noise(20) > noise(2000)
    assert 0.3 < noise(40) < 4


def test_noise_leaves_the_mean_alone() -> None:
    quiet, noisy = (
        _take(_camera(FlashCameraSettings(noise=noise), 5), _scene(5), 0.0)[0].mean() for noise in (0.0, 1.0)
    )
    assert noisy == pytest.approx(quiet, abs=0.5)


def test_metadata_follow_the_light() -> None:
    def said(lux: float) -> ExposureClaim:
        return _take(_camera(FlashCameraSettings(), lux), _scene(lux), 0.0)[1]

    dark, day = said(5), said(10_000)
    assert dark.iso > 5 * day.iso
    assert dark.exposure_time_ns > 5 * day.exposure_time_ns


@pytest.mark.parametrize("curve", list(ToneCurve))
def test_tone_curves_rise_from_black_to_white(curve: ToneCurve) -> None:
    table = tone_table(curve)[0].astype(int)
    assert table[0] == 0
    assert table[-1] >= 250
    assert np.diff(table).min() >= 0


@pytest.mark.parametrize("longest", [0.01, 0.033, 0.12])
def test_in_the_dark_the_exposure_is_the_longest_allowed(longest: float) -> None:
    dark, bright = (
        _take(_camera(replace(_QUIET, longest_exposure_seconds=longest), lux), _scene(lux), 0.0)[1]
        for lux in (1, 5000)
    )
    assert dark.exposure_seconds == pytest.approx(longest)
    assert bright.exposure_time_ns < 5_000_000


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
    light.show(_BLUE, at=3.0)
    assert np.argmax(_at(light, 4.0)[0]) == 0


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
