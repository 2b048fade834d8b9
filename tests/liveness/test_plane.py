import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.plane import MINIMUM_POINTS, apply_plane_motion, fit_plane_motion


def _points(count: int = 60, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(0, 100, (count, 2)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_any_mild_homography_is_found_again(values: list[float]) -> None:
    scale = np.array([[0.1, 0.1, 20], [0.1, 0.1, 20], [5e-4, 5e-4, 0]])
    true = np.eye(3) + scale * np.append(values, 0).reshape(3, 3)
    first = _points()
    second = apply_plane_motion(true, first)
    found = fit_plane_motion(first, second)
    assert found is not None
    assert np.abs(apply_plane_motion(found, first) - second).max() < 0.01


def test_lost_points_do_not_bend_it() -> None:
    first = _points()
    second = first + 5
    second[:6] += 30
    found = fit_plane_motion(first, second)
    assert found is not None
    assert np.abs(apply_plane_motion(found, first[6:]) - second[6:]).max() < 0.5


@pytest.mark.parametrize(
    "first", [_points(MINIMUM_POINTS - 1), np.zeros((30, 2), np.float32), np.zeros((0, 2), np.float32)]
)
def test_points_that_determine_no_plane_give_none(
    first: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    assert fit_plane_motion(first, first) is None
