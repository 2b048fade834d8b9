from dataclasses import replace

import numpy as np
import pytest

from simulator import Photo, ScanKind, SceneSettings, ScreenSettings
from simulator.sheets import ScreenReplay

_SETTINGS = SceneSettings(kind=ScanKind.SCREEN_REPLAY, seed=4, seconds=1.0, width=360, height=480)


def _mid_band_energy(image: np.typing.NDArray[np.uint8]) -> float:
    """Energy between a quarter and a half of the sampling rate in the middle of the image."""
    grey = image[112:368, 52:308].astype(np.float64).mean(axis=2)
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(np.hanning(256), np.hanning(256)))) ** 2
    frequency = np.abs(np.fft.fftfreq(256))
    radius = np.hypot(frequency[:, None], frequency[None, :])
    return float(spectrum[(radius > 0.25) & (radius < 0.5)].sum())


def test_the_grid_of_screen_pixels_shows(astronaut: Photo) -> None:
    shown = [
        ScreenReplay(
            astronaut,
            replace(_SETTINGS, screen=ScreenSettings(grid_contrast=contrast, pixel_pitch=2.6)),
            np.random.default_rng(1),
        ).show(0.0)
        for contrast in (0.0, 0.2)
    ]
    assert _mid_band_energy(shown[1]) > 2 * _mid_band_energy(shown[0])


def test_the_grid_changes_no_colour_on_average(astronaut: Photo) -> None:
    means = [
        ScreenReplay(
            astronaut,
            replace(_SETTINGS, screen=ScreenSettings(grid_contrast=contrast)),
            np.random.default_rng(1),
        )
        .show(0.0)
        .mean(axis=(0, 1))
        for contrast in (0.0, 0.1)
    ]
    assert means[1] == pytest.approx(means[0], abs=1.5)


def test_the_recording_plays(astronaut: Photo) -> None:
    replay = ScreenReplay(astronaut, _SETTINGS, np.random.default_rng(1))
    first, second = replay.show(0.0).astype(int), replay.show(0.5).astype(int)
    assert np.abs(second - first)[150:337, 90:270].mean() > 1.0
