"""Patterns compared with counts by hand and with scikit-image."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern

from liveness.selfie import LBP_BINS, lbp_codes, lbp_histogram, pattern_entropy

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
