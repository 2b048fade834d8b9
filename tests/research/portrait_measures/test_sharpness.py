import numpy as np
import pytest

from research.portrait_measures.measures import blurred, moved, ordered_pairs


def dot() -> np.ndarray:
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    return image


def test_a_movement_draws_a_line_and_keeps_the_light() -> None:
    line = moved(dot(), 11, degrees=0)[..., 0]
    assert np.count_nonzero(line.any(axis=0)) == 11
    assert np.count_nonzero(line.any(axis=1)) == 1
    assert line.sum() == pytest.approx(255, abs=11)
    upright = moved(dot(), 11, degrees=90)[..., 0]
    assert np.count_nonzero(upright.any(axis=0)) == 1


def test_no_blur_is_no_change() -> None:
    np.testing.assert_array_equal(blurred(dot(), 0.0), dot())
    assert blurred(dot(), 2.0).max() < 20


def test_pairs_in_order_are_counted_and_ties_are_half() -> None:
    assert ordered_pairs(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == 3.5 / 4
