from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simulator import FlashCameraSettings, SimulatedExposure, ToneCurve
from simulator.light.phone_camera import PhoneCamera, tone_table

_QUIET = FlashCameraSettings(noise=0.0, exposure_seconds=0.3, white_balance_seconds=0.5)
_SIZE = (320, 240)


def _camera(settings: FlashCameraSettings, seed: int = 1) -> PhoneCamera:
    return PhoneCamera(settings, np.random.default_rng(seed), width=_SIZE[1], height=_SIZE[0])


def _scene(*lux: float) -> np.typing.NDArray[np.float32]:
    return np.full((*_SIZE, 3), lux, np.float32)


def _take(
    camera: PhoneCamera, scene: np.typing.NDArray[np.float32], time: float, *, locked: bool = True
) -> tuple[np.typing.NDArray[np.uint8], SimulatedExposure]:
    exposed = scene * camera.gains.astype(np.float32) + np.float32(camera.pedestal)
    return camera.take(exposed, time, locked=locked)


def test_exposure_pulls_a_brighter_scene_back_and_takes_its_time() -> None:
    camera = _camera(_QUIET)
    camera.start(_scene(50, 50, 50))
    levels = [_take(camera, _scene(50, 50, 50) * (1 if i < 3 else 2), i / 20)[0].mean() for i in range(60)]
    assert levels[0] == pytest.approx(levels[2], abs=1)
    assert levels[3] > levels[2] + 30
    assert levels[9] < levels[3] - 10, "after one time constant most of it is gone"
    assert levels[-1] == pytest.approx(levels[0], abs=4)
    assert all(later <= earlier for earlier, later in pairwise(levels[3:]))


def test_locked_exposure_stays() -> None:
    camera = _camera(replace(_QUIET, exposure_locked=True))
    camera.start(_scene(50, 50, 50))
    first, said = _take(camera, _scene(100, 100, 100), 0.0)
    later = [_take(camera, _scene(100, 100, 100), i / 20)[0] for i in range(1, 20)][-1]
    assert np.array_equal(first, later)
    assert said.exposure_locked


def test_exposure_follows_until_it_is_locked() -> None:
    camera = _camera(replace(_QUIET, exposure_locked=True))
    camera.start(_scene(50, 50, 50))
    taken = [_take(camera, _scene(100, 100, 100), i / 20, locked=i >= 20) for i in range(60)]
    levels = [float(pixels.mean()) for pixels, _ in taken]
    assert levels[19] < levels[0] - 30, "it had a second to follow the brighter scene"
    assert levels[-1] == levels[20]
    assert [said.exposure_locked for _, said in taken] == [i >= 20 for i in range(60)]


def test_white_balance_follows_a_change_of_colour_by_part_unless_locked() -> None:
    for locked in (False, True):
        camera = _camera(replace(_QUIET, white_balance_locked=locked))
        camera.start(_scene(50, 50, 50))
        seen = [_take(camera, _scene(80, 50, 50), i / 20)[0].mean(axis=(0, 1)) for i in range(60)]
        excess = [float(colour[0] - colour[2]) for colour in seen]
        assert excess[0] > 20
        assert excess[-1] == pytest.approx(excess[0], abs=8) if locked else excess[-1] < 0.7 * excess[0]
        assert excess[-1] > 5


def test_less_light_is_noisier() -> None:
    def noise(lux: float) -> float:
        camera = _camera(FlashCameraSettings())
        camera.start(_scene(lux, lux, lux))
        return float(_take(camera, _scene(lux, lux, lux), 0.0)[0].std())

    assert noise(2) > 1.5 * noise(20) > noise(20) > noise(2000)
    assert 0.3 < noise(40) < 4


def test_noise_leaves_the_mean_alone() -> None:
    means = []
    for factor in (0.0, 1.0):
        camera = _camera(FlashCameraSettings(noise=factor))
        camera.start(_scene(5, 5, 5))
        means.append(_take(camera, _scene(5, 5, 5), 0.0)[0].mean())
    assert means[0] == pytest.approx(means[1], abs=0.5)


def test_metadata_follow_the_light() -> None:
    def said(lux: float) -> SimulatedExposure:
        camera = _camera(FlashCameraSettings())
        camera.start(_scene(lux, lux, lux))
        return _take(camera, _scene(lux, lux, lux), 0.0)[1]

    dark, day = said(5), said(10_000)
    assert dark.iso > 5 * day.iso
    assert dark.exposure_seconds > 5 * day.exposure_seconds


def test_white_stays_white_and_black_black() -> None:
    camera = _camera(_QUIET)
    camera.start(_scene(50, 50, 50))
    assert _take(camera, _scene(1e6, 1e6, 1e6), 0.0)[0].min() == 255
    camera.start(_scene(50, 50, 50))
    assert _take(camera, _scene(0, 0, 0), 0.1)[0].max() == 0


@pytest.mark.parametrize("curve", list(ToneCurve))
def test_tone_curves_rise_from_black_to_white(curve: ToneCurve) -> None:
    table = tone_table(curve)[0].astype(int)
    assert table[0] == 0
    assert table[-1] >= 250
    assert np.diff(table).min() >= 0


def test_tone_curves_differ() -> None:
    tables = [tone_table(curve)[0].astype(int) for curve in ToneCurve]
    assert np.abs(tables[0] - tables[1]).max() >= 3
    assert np.abs(tables[0] - tables[2]).max() >= 5


@pytest.mark.parametrize("longest", [0.01, 0.033, 0.12])
def test_in_the_dark_the_exposure_is_the_longest_allowed(longest: float) -> None:
    dark, bright = (_camera(replace(_QUIET, longest_exposure_seconds=longest)) for _ in range(2))
    dark.start(_scene(1, 1, 1))
    bright.start(_scene(5000, 5000, 5000))
    assert _take(dark, _scene(1, 1, 1), 0.0)[1].exposure_seconds == longest
    assert _take(bright, _scene(5000, 5000, 5000), 0.0)[1].exposure_seconds < 0.005
