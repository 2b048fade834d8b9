import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.selfie import SelfieSettings, SpectrumMeasures
from liveness.selfie.fft_deepfake import FftDeepfake, spectrum_score
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import faceless, flat, noisy, subject

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
