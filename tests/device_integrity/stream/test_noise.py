import numpy as np
import pytest

from device_integrity.check import DeviceFinding
from device_integrity.stream.noise import check_noise, noise_curve
from tests.device_integrity.stream.streams import camera_stream, encode, frames, measured


def test_a_camera_has_noise() -> None:
    check = check_noise(measured(camera_stream(noise=2.0)).tallies)
    assert check.outcome is DeviceFinding.PASS


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_noise_is_measured_where_nothing_moves(sigma: float) -> None:
    # The mean absolute difference of two frames is 2/sqrt(pi) times the noise of one; quiet blocks have less.
    stream = [encode(luma, quality=98) for luma in frames(24, noise=sigma, moves=False)]
    curve = noise_curve(measured(stream).tallies)
    assert curve is not None
    assert curve.level == pytest.approx(2 / np.sqrt(np.pi) * sigma, rel=0.15)


def test_rendered_pictures_have_none() -> None:
    still = frames(1, noise=0.0)[0]
    rendered = []
    for at in range(24):
        luma = still.copy()
        luma[40:120, 40 + at : 120 + at] = 255 - luma[40:120, 40 + at : 120 + at]
        rendered.append(encode(luma))
    check = check_noise(measured(rendered).tallies)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "NO_NOISE", True)


def test_noise_of_photons_grows_with_light() -> None:
    rng = np.random.default_rng(3)
    light = np.repeat(np.linspace(0.02, 0.9, 320, dtype=np.float64)[None], 240, 0)
    shown = []
    for _ in range(24):
        counted = rng.poisson(light * 4000) / 4000
        shown.append(encode(np.asarray(np.rint(255 * np.minimum(counted, 1) ** (1 / 2.2)), np.uint8), 98))
    curve = noise_curve(measured(shown).tallies)
    assert curve is not None
    assert curve.trend == pytest.approx(1.0, abs=0.35)


def test_too_few_frames_are_not_evaluated() -> None:
    assert check_noise(()).outcome is DeviceFinding.UNAVAILABLE
    assert check_noise(measured(camera_stream(1)).tallies).outcome is DeviceFinding.UNAVAILABLE
