import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveness.selfie import SelfieSettings, SpectrumMeasures, face_spectrum, measure_spectrum
from liveness.selfie.spectrum import FftDeepfake, spectrum_score
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import faceless, flat, noisy, subject

_SIDE = 128


def _noise(seed: int = 0, spread: float = 20.0) -> NDArray[np.float64]:
    return 128 + np.random.default_rng(seed).normal(0, spread, (_SIDE, _SIDE))


def _square(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)


def _wave(right: float, down: float) -> NDArray[np.float64]:
    """A wave with this number of periods across and down."""
    rows, columns = np.indices((_SIDE, _SIDE)) / _SIDE
    wave: NDArray[np.float64] = np.sin(2 * np.pi * (right * columns + down * rows))
    return wave


def test_noise_has_rayleighs_kurtosis_a_flat_spectrum_and_no_direction() -> None:
    measures = measure_spectrum(face_spectrum(_square(_noise())))
    # Rayleigh's distribution has a kurtosis of 3.245; a disc has three quarters of its area beyond half its
    # radius.
    assert measures.ring_kurtosis == pytest.approx(3.245, abs=0.2)
    assert measures.high_frequency_ratio == pytest.approx(0.75, abs=0.01)
    assert measures.azimuthal_variance < 0.01


def test_a_wave_appears_at_its_frequency() -> None:
    spectrum = face_spectrum(_square(128 + 60 * _wave(24, 0)))
    half = _SIDE // 2
    row, column = np.unravel_index(int(spectrum.magnitude.argmax()), spectrum.magnitude.shape)
    assert (int(row), abs(int(column) - half)) == (half, 24)
    assert 10 + int(spectrum.radial_profile[10:].argmax()) == pytest.approx(24, abs=1)
    assert spectrum.radial_profile.shape == (half,)
    np.testing.assert_allclose(spectrum.log_magnitude, np.log1p(spectrum.magnitude))


def test_the_profile_is_the_mean_of_each_ring() -> None:
    spectrum = face_spectrum(_square(_noise(3)))
    half = _SIDE // 2
    rows, columns = np.indices((_SIDE, _SIDE)) - half
    ring = np.rint(np.hypot(rows, columns)) == 20
    assert spectrum.radial_profile[20] == pytest.approx(spectrum.log_magnitude[ring].mean())


def test_periodic_peaks_raise_the_kurtosis() -> None:
    plain = measure_spectrum(face_spectrum(_square(_noise())))
    found = [
        measure_spectrum(face_spectrum(_square(_noise() + strength * _wave(40, 24)))).ring_kurtosis
        for strength in (0, 4, 8, 16)
    ]
    assert found[0] == pytest.approx(plain.ring_kurtosis)
    assert found == sorted(found)
    assert found[-1] > 6


def test_smoothing_takes_high_frequencies_and_enlarging_without_smoothing_adds_them() -> None:
    small = _noise()[: _SIDE // 2, : _SIDE // 2]
    plain = measure_spectrum(face_spectrum(_square(_noise()))).high_frequency_ratio
    rows = np.arange(_SIDE) / 2
    smooth = np.stack([np.interp(rows, np.arange(_SIDE // 2), line) for line in small])
    smooth = np.stack([np.interp(rows, np.arange(_SIDE // 2), line) for line in smooth.T]).T
    assert measure_spectrum(face_spectrum(_square(smooth))).high_frequency_ratio < plain - 0.02


def test_one_direction_raises_the_azimuthal_variance() -> None:
    rng = np.random.default_rng(1)
    # Every row alike: all energy lies in the horizontal frequencies.
    striped = np.repeat(rng.normal(128, 20, (1, _SIDE)), _SIDE, axis=0)
    mixed = _noise() * 0.5 + striped * 0.5
    one, both = (measure_spectrum(face_spectrum(_square(values))) for values in (striped, mixed))
    assert one.azimuthal_variance > 1
    assert 0.02 < both.azimuthal_variance < one.azimuthal_variance


def test_brightness_and_contrast_change_shape_measures_little() -> None:
    one = measure_spectrum(face_spectrum(_square(_noise(2, 10))))
    other = measure_spectrum(face_spectrum(_square(30 + (_noise(2, 10) - 60) * 2)))
    assert one.ring_kurtosis == pytest.approx(other.ring_kurtosis, abs=0.1)
    assert one.azimuthal_variance == pytest.approx(other.azimuthal_variance, abs=0.005)


@pytest.mark.parametrize("side", [24, 50, 96, 256])
def test_every_even_size_gives_finite_measures(side: int) -> None:
    rng = np.random.default_rng(side)
    for square in (
        rng.integers(0, 256, (side, side), dtype=np.uint8),
        np.zeros((side, side), np.uint8),
        np.eye(side, dtype=np.uint8) * 255,
    ):
        measures = measure_spectrum(face_spectrum(square))
        assert measures.ring_kurtosis >= 1
        assert 0 <= measures.high_frequency_ratio <= 1
        assert 0 <= measures.azimuthal_variance < math.inf


_SIGNAL, _SETTINGS = FftDeepfake(), SelfieSettings()


def _measures(kurtosis: float = 3.0, ratio: float = 0.65, variance: float = 0.0) -> SpectrumMeasures:
    return SpectrumMeasures(ring_kurtosis=kurtosis, high_frequency_ratio=ratio, azimuthal_variance=variance)


@pytest.mark.parametrize(
    ("measures", "score"),
    [
        (_measures(), 1.0),
        (_measures(kurtosis=1), 1.0),
        (_measures(kurtosis=6), (0.5 + 2) / 3),
        (_measures(kurtosis=12), 2 / 3),
        (_measures(kurtosis=400), 2 / 3),
        (_measures(ratio=0.75), (0.5 + 2) / 3),
        (_measures(ratio=0.55), (0.5 + 2) / 3),
        (_measures(ratio=0.1), 2 / 3),
        (_measures(variance=0.35), (0.5 + 2) / 3),
        (_measures(variance=0.7), 2 / 3),
        (_measures(kurtosis=12, ratio=0.1, variance=3), 0.0),
    ],
)
def test_each_measure_is_a_third(measures: SpectrumMeasures, score: float) -> None:
    assert spectrum_score(measures, _SETTINGS) == pytest.approx(score)


def test_the_limits_are_settings() -> None:
    stricter = SelfieSettings(fft_kurtosis_max=6, fft_hf_ratio_baseline=0.75, fft_az_variance_max=0.1)
    assert spectrum_score(_measures(kurtosis=6, ratio=0.75, variance=0.1), stricter) == pytest.approx(0.5)


@given(st.floats(1, 1e6), st.floats(1, 10), st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 10))
def test_a_worse_measure_never_raises_the_score(
    kurtosis: float, factor: float, ratio: float, variance: float, more: float
) -> None:
    best = spectrum_score(_measures(kurtosis, ratio, variance), _SETTINGS)
    assert 0 <= best <= 1
    assert spectrum_score(_measures(kurtosis * factor, ratio, variance), _SETTINGS) <= best + 1e-12
    assert spectrum_score(_measures(kurtosis, ratio, variance + more), _SETTINGS) <= best + 1e-12


def test_a_generators_grid_lowers_the_score() -> None:
    natural = cv2.GaussianBlur(noisy(spread=60), (0, 0), 0.7).astype(np.float64)
    scores = []
    for strength in (0, 10, 30):
        grid = natural.copy()
        # The trace of three transposed convolutions of stride 2: every eighth row and column is brighter.
        grid[::8] += strength
        grid[:, ::8] += strength
        found = _SIGNAL.assess(subject(np.clip(grid, 0, 255).astype(np.uint8)), _SETTINGS)
        assert found.score is not None
        scores.append(found.score)
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8
    assert scores[-1] < scores[0] - 0.15


def test_a_crop_without_a_spectrum_is_not_assessed() -> None:
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
    assert _SIGNAL.assess(subject(flat()), _SETTINGS).score is None
    assert _SIGNAL.assess(subject(face=face_at(width=60)), _SETTINGS).score is None


def test_the_detail_contains_the_measurements() -> None:
    found = _SIGNAL.assess(subject(), _SETTINGS)
    assert found.score is not None
    assert math.isfinite(found.score)
    assert "ring kurtosis 3." in found.detail
