import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.selfie import asymmetry, symmetric_pairs
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import mirrored_landmarks
from vision.face import Landmarks

_SCHEMES = [("ibug68", 68), ("insightface106", 106), ("mediapipe478", 478)]


@pytest.mark.parametrize(("scheme", "count"), _SCHEMES)
def test_a_mirror_image_of_itself_has_no_asymmetry(scheme: str, count: int) -> None:
    pairs = symmetric_pairs(mirrored_landmarks(scheme, count))
    assert len(pairs) >= 7
    assert asymmetry(pairs) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("scheme", "count"), _SCHEMES)
def test_pairs_are_the_image_s_left_and_right_point(scheme: str, count: int) -> None:
    pairs = symmetric_pairs(mirrored_landmarks(scheme, count))
    assert (pairs[:, 0, 0] < pairs[:, 1, 0]).all()
    np.testing.assert_allclose(pairs[:, 0, 1], pairs[:, 1, 1], atol=1e-4)


def test_five_points_give_eyes_and_mouth() -> None:
    five = face_at().five_points
    np.testing.assert_array_equal(symmetric_pairs(five), five[[[0, 1], [3, 4]]])


def test_the_index_of_a_hand_made_face() -> None:
    # Widths 10 and 6, the second pair's middle 1 to the right: mirrored points are 2 * 0.5 off at both
    # pairs, in shares of the wider one 0.1.
    pairs = np.array([[[0.0, 0.0], [10.0, 0.0]], [[3.0, 5.0], [9.0, 5.0]]])
    assert asymmetry(pairs) == pytest.approx(0.1)


@given(st.floats(-math.pi, math.pi), st.floats(0.1, 50), st.floats(-1000, 1000), st.integers(0, 2**32 - 1))
def test_turning_moving_and_resizing_change_nothing(
    angle: float, scale: float, shift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left = rng.uniform((0, 0), (4, 10), (6, 2))
    pairs = np.stack([left, left * (-1, 1) + (20, 0) + rng.normal(0, 0.5, (6, 2))], axis=1)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = scale * pairs @ turn.T + shift
    before, after = asymmetry(pairs), asymmetry(moved)
    assert before is not None
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("value", [5.0, float("nan"), float("inf")])
def test_points_that_make_no_face_have_no_index(value: float) -> None:
    assert asymmetry(np.full((4, 2, 2), value)) is None


def test_an_unknown_scheme_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="unknown landmark scheme"):
        symmetric_pairs(Landmarks(points=np.zeros((3, 2), np.float32), scheme="three"))
