import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern

from liveness.selfie import LBP_BINS, SelfieSettings, lbp_codes, lbp_histogram, pattern_entropy
from liveness.selfie.texture import LbpTexture, SelfieSharpness, texture_score
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


_OTHERS = LBP_BINS - 1
_ALL_SET = LBP_BINS - 2


def _uniform_codes() -> list[int]:
    kept = []
    for code in range(256):
        bits = f"{code:08b}"
        if sum(bits[at] != bits[at - 1] for at in range(8)) <= 2:
            kept.append(code)
    return kept


def test_there_are_58_uniform_patterns() -> None:
    assert len(_uniform_codes()) == _OTHERS


def test_a_flat_picture_has_one_pattern() -> None:
    codes = lbp_codes(np.full((5, 7), 90, np.uint8))
    assert codes.shape == (3, 5)
    assert (codes == _ALL_SET).all()
    histogram = lbp_histogram(codes)
    assert histogram[_ALL_SET] == 1
    assert pattern_entropy(histogram) == 0


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        ([[0, 0, 0], [0, 9, 0], [0, 0, 0]], 0),
        # Brighter rightwards: right, upper right, above, below and lower right.
        ([[0, 5, 9], [0, 5, 9], [0, 5, 9]], 0b11000111),
        # The lower side is brighter: left, lower left, below, lower right, right.
        ([[0, 0, 0], [5, 5, 5], [9, 9, 9]], 0b11110001),
    ],
)
def test_one_pixel_has_its_known_code(picture: list[list[int]], code: int) -> None:
    found = lbp_codes(np.array(picture, np.uint8))
    assert found.tolist() == [[_uniform_codes().index(code)]]


def test_a_pattern_of_many_changes_is_one_of_the_others() -> None:
    picture = np.array([[0, 9, 0], [9, 5, 9], [0, 9, 0]], np.uint8)
    # The four straight neighbours are brighter and the diagonal ones, interpolated, are not: 0.09 * 5 +
    # 2 * 0.21 * 9 + 0 = 4.2 below 5.
    assert lbp_codes(picture).tolist() == [[_OTHERS]]


def test_codes_are_those_of_scikit_image() -> None:
    grey = np.random.default_rng(4).integers(0, 256, (60, 50), dtype=np.uint8)
    theirs = local_binary_pattern(grey, 8, 1, method="default")[1:-1, 1:-1].astype(int)
    bins = np.full(256, _OTHERS)
    bins[_uniform_codes()] = np.arange(_OTHERS)
    assert (lbp_codes(grey) == bins[theirs]).mean() > 0.999


@given(arrays.arrays(np.uint8, st.tuples(st.integers(3, 12), st.integers(3, 12))))
def test_a_histogram_sums_to_1_and_its_entropy_has_bounds(grey: NDArray[np.uint8]) -> None:
    histogram = lbp_histogram(lbp_codes(grey))
    assert histogram.shape == (LBP_BINS,)
    assert math.isclose(histogram.sum(), 1, abs_tol=1e-9)
    assert 0 <= pattern_entropy(histogram) <= math.log2(LBP_BINS)


def test_entropy_of_equal_shares() -> None:
    histogram = np.zeros(LBP_BINS)
    histogram[:8] = 1 / 8
    assert pattern_entropy(histogram) == pytest.approx(3)


def test_brighter_or_more_contrast_changes_no_code() -> None:
    grey = np.random.default_rng(5).integers(0, 100, (20, 20), dtype=np.uint8)
    np.testing.assert_array_equal(lbp_codes(grey), lbp_codes((2 * grey + 30).astype(np.uint8)))


_LBP_TEXTURE_SIGNAL, _LBP_TEXTURE_SETTINGS = LbpTexture(), SelfieSettings()
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
        found = _LBP_TEXTURE_SIGNAL.assess(subject(image, face=face_at(240, 300, 96)), _LBP_TEXTURE_SETTINGS)
        assert found.score is not None
        assert found.score < 0.35
        assert "highly uniform" in found.detail


def test_blur_takes_variety_away() -> None:
    sharp = noisy()
    soft = cv2.GaussianBlur(sharp, (0, 0), 12).astype(np.uint8, copy=False)
    scores = [
        _LBP_TEXTURE_SIGNAL.assess(subject(image), _LBP_TEXTURE_SETTINGS).score for image in (sharp, soft)
    ]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[1] < scores[0]


def test_without_enough_of_a_face_it_is_not_assessed() -> None:
    assert _LBP_TEXTURE_SIGNAL.assess(faceless(), _LBP_TEXTURE_SETTINGS).score is None
    assert (
        "too small"
        in _LBP_TEXTURE_SIGNAL.assess(subject(face=face_at(width=12)), _LBP_TEXTURE_SETTINGS).detail
    )
