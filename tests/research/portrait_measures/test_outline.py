import numpy as np
import pytest

from research.portrait_measures.measures import farthest, mean_mask


def square(left: int, right: int) -> np.ndarray:
    mask = np.zeros((100, 100), np.uint8)
    mask[30:70, left:right] = 1
    return mask


def test_borders_are_as_far_apart_as_they_were_put() -> None:
    assert farthest(square(30, 70), square(30, 70)) == 0
    assert farthest(square(30, 70), square(30, 77)) == pytest.approx(7, abs=0.5)
    assert farthest(square(30, 77), square(30, 70)) == pytest.approx(7, abs=0.5)


def test_the_mean_is_the_majority_and_symmetric() -> None:
    np.testing.assert_array_equal(mean_mask([square(30, 70), square(30, 70), square(10, 90)]), square(30, 70))
    mean = mean_mask([square(20, 70), square(25, 75), square(30, 80)])
    np.testing.assert_array_equal(mean, mean[:, ::-1])
