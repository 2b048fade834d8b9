import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.selfie import SelfieSettings
from liveness.selfie.lbp_texture import LbpTexture, texture_score
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import faceless, flat, noisy, subject

_SIGNAL, _SETTINGS = LbpTexture(), SelfieSettings()
_MOST = 5.88


@pytest.mark.parametrize(
    ("entropy", "score"), [(0, 0), (2.4, 0.175), (4.8, 0.35), (5.0, 0.55), (5.25, 0.8), (5.45, 1), (5.88, 1)]
)
def test_entropy_alone(entropy: float, score: float) -> None:
    assert texture_score(entropy=entropy, dominant=0.0, threshold=0.6) == pytest.approx(score)


@pytest.mark.parametrize(("dominant", "score"), [(0, 1), (0.3, 0.75), (0.6, 0.5), (0.65, 0.4375), (1, 0)])
def test_dominant_pattern_alone(dominant: float, score: float) -> None:
    assert texture_score(entropy=_MOST, dominant=dominant, threshold=0.6) == pytest.approx(score)


@given(st.floats(0, _MOST), st.floats(0, _MOST), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.99))
def test_more_variety_never_lowers_the_score(
    one: float, other: float, share: float, another: float, threshold: float
) -> None:
    poorer = texture_score(entropy=min(one, other), dominant=max(share, another), threshold=threshold)
    richer = texture_score(entropy=max(one, other), dominant=min(share, another), threshold=threshold)
    assert 0 <= poorer <= richer <= 1


@given(st.floats(0.6, 1), st.floats(0, _MOST))
def test_a_pattern_beyond_the_threshold_never_passes(dominant: float, entropy: float) -> None:
    assert texture_score(entropy=entropy, dominant=dominant, threshold=0.6) <= 0.5


def test_flat_and_striped_media_are_uniform() -> None:
    striped = flat()
    striped[::2] = 60
    for image in (flat(), striped):
        found = _SIGNAL.assess(subject(image, face=face_at(240, 300, 96)), _SETTINGS)
        assert found.score is not None
        assert found.score < 0.35
        assert "highly uniform" in found.detail


def test_blur_takes_variety_away() -> None:
    sharp = noisy()
    soft = cv2.GaussianBlur(sharp, (0, 0), 12).astype(np.uint8, copy=False)
    scores = [_SIGNAL.assess(subject(image), _SETTINGS).score for image in (sharp, soft)]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[1] < scores[0]


def test_without_enough_of_a_face_it_is_not_assessed() -> None:
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
    assert "too small" in _SIGNAL.assess(subject(face=face_at(width=12)), _SETTINGS).detail
