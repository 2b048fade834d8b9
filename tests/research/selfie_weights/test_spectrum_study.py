"""Each change does to a spectrum what it stands for."""

import cv2
import numpy as np
import pytest

from liveness.selfie import face_spectrum, measure_spectrum
from liveness.selfie.spectrum import SpectrumMeasures
from research.selfie_weights.spectrum_study import CHANGES
from vision.face import BgrImage


def _picture() -> BgrImage:
    """Noise of a natural picture's kind: the finer, the weaker."""
    rng = np.random.default_rng(6)
    total = np.full((192, 192), 128.0)
    for sigma, strength in ((0.6, 6), (2, 30), (8, 120)):
        total += strength * cv2.GaussianBlur(rng.normal(0, 1, (192, 192)), (0, 0), sigma)
    return np.repeat(np.clip(total, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _measures(image: BgrImage) -> SpectrumMeasures:
    return measure_spectrum(face_spectrum(image[..., 0]))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_size_and_kind(name: str) -> None:
    image = _picture()
    changed = CHANGES[name](image)
    assert (changed.shape, changed.dtype) == (image.shape, image.dtype)
    assert (changed is image) == (name == "as they are")


@pytest.mark.parametrize("name", ["transposed convolution", "grid of period 8, 4 of 255"])
def test_generators_changes_raise_the_kurtosis(name: str) -> None:
    image = _picture()
    assert _measures(CHANGES[name](image)).ring_kurtosis > _measures(image).ring_kurtosis + 0.5


def test_enlarging_takes_high_frequencies() -> None:
    image = _picture()
    enlarged = _measures(CHANGES["made of half the pixels"](image))
    assert enlarged.high_frequency_ratio < _measures(image).high_frequency_ratio - 0.02
