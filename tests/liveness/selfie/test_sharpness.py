import cv2
import numpy as np
import pytest

from liveness.selfie import SelfieSettings
from liveness.selfie.sharpness import SelfieSharpness
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import faceless, flat, noisy, subject

_SIGNAL, _SETTINGS = SelfieSharpness(), SelfieSettings()


def test_the_score_is_a_half_at_the_floor_and_rises_with_the_variance() -> None:
    image = flat()
    # One pixel 160 times enlarged is 160 flat columns: of an extent of 160 pixels nothing is resized, so the
    # Laplacian of columns 0 and d in turn is 2 d or -2 d everywhere but at the border: a variance of 4 d**2.
    image[:, ::2] = 128 + 6
    variance = 4 * 6**2
    found = _SIGNAL.assess(
        subject(image, face=face_at(240, 300, 160)), SelfieSettings(min_blur_variance=variance)
    )
    assert found.score == pytest.approx(0.5, abs=0.02)
    easier = _SIGNAL.assess(subject(image, face=face_at(240, 300, 160)), _SETTINGS)
    assert easier.score is not None
    assert easier.score > 0.8


def test_blur_lowers_the_score_step_by_step() -> None:
    scores = [
        _SIGNAL.assess(
            subject(cv2.GaussianBlur(noisy(), (0, 0), sigma).astype(np.uint8, copy=False)), _SETTINGS
        ).score
        for sigma in (0.5, 1.0, 2.0, 4.0)
    ]
    assert scores == sorted(scores, key=lambda score: score or 0, reverse=True)
    assert scores[0] is not None
    assert scores[-1] is not None
    assert scores[0] > 0.8
    assert scores[-1] < 0.5


def test_a_flat_face_is_blurred_and_none_is_not_assessed() -> None:
    blank = _SIGNAL.assess(subject(flat()), _SETTINGS)
    assert (blank.score, blank.passed) == (0, False)
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
    assert _SIGNAL.assess(subject(face=face_at(width=10)), _SETTINGS).score is None


def test_the_wall_behind_does_not_count() -> None:
    image = flat()
    image[:150] = noisy()[:150]
    assert _SIGNAL.assess(subject(image, face=face_at(240, 420, 160)), _SETTINGS).score == 0
