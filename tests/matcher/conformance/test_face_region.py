import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.conformance.face_region import ALIGNED_EYE_DISTANCE, ALIGNED_SIDE, aligned_face
from tests.matcher.conformance.pictures import FIVE_POINTS, drawn_face, plain
from vision.face import Landmarks


def test_a_face_in_its_place_stays_there() -> None:
    image = drawn_face()
    face = aligned_face(image, five_points=FIVE_POINTS, landmarks=None)
    assert face is not None
    assert face.transform == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=1e-4)
    seen = np.s_[0:480, 62:554]
    assert np.array_equal(face.image[seen], image[seen])
    assert not face.has_outline


@pytest.mark.parametrize(("scale", "degrees"), [(0.5, 0), (3.0, 0), (1.0, 15), (2.0, -30)])
def test_the_eyes_come_to_their_place(scale: float, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((308, 308), degrees, scale)
    points = (FIVE_POINTS @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    face = aligned_face(drawn_face(), five_points=points, landmarks=None)
    assert face is not None
    placed = points @ face.transform[:, :2].T + face.transform[:, 2]
    assert placed == pytest.approx(FIVE_POINTS, abs=0.05)
    assert np.linalg.norm(placed[1] - placed[0]) == pytest.approx(ALIGNED_EYE_DISTANCE, abs=0.05)


def test_the_mask_is_the_hull_of_the_landmarks() -> None:
    points = np.full((68, 2), 308.0, dtype=np.float32)
    points[[36, 39, 42, 45]] = [(231, 272), (271, 272), (344, 272), (384, 272)]
    points[30], points[48], points[54] = (308, 336), (262, 402), (355, 402)
    points[0], points[16], points[8] = (180, 250), (436, 250), (308, 500)
    face = aligned_face(plain(), five_points=FIVE_POINTS, landmarks=Landmarks(points, "ibug68"))
    assert face is not None
    assert face.has_outline
    assert (face.face_box.left, face.face_box.top) == pytest.approx((180, 250), abs=2)
    assert (face.face_box.right, face.face_box.bottom) == pytest.approx((437, 501), abs=2)
    assert face.mask.sum() == pytest.approx(256 * 250 / 2, rel=0.03)
    assert face.histogram.sum() == pytest.approx(1)


def test_the_cheeks_are_squares_below_the_eyes_beside_the_nose() -> None:
    image = plain((0, 0, 0))
    side, top = 33, 272 + 65
    image[top : top + side, 251 : 251 + side] = (10, 20, 30)
    image[top : top + side, 364 - side : 364] = (40, 50, 60)
    face = aligned_face(image, five_points=FIVE_POINTS, landmarks=None)
    assert face is not None
    assert face.cheeks.shape == (2, side, side, 3)
    assert face.cheeks[0].reshape(-1, 3).mean(axis=0) == pytest.approx([10, 20, 30], abs=1)
    assert face.cheeks[1].reshape(-1, 3).mean(axis=0) == pytest.approx([40, 50, 60], abs=2)


def test_outside_the_portrait_is_black() -> None:
    face = aligned_face(plain(side=300), five_points=FIVE_POINTS, landmarks=None)
    assert face is not None
    assert face.image[299, 299].any()
    assert not face.image[310:, :].any()


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan), FIVE_POINTS * 1e7])
def test_points_that_are_no_face_give_none(points: np.typing.NDArray[np.float32]) -> None:
    assert aligned_face(plain(), five_points=points.astype(np.float32), landmarks=None) is None


coordinate = st.floats(-3e4, 3e4, width=32)


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(coordinate, coordinate), min_size=5, max_size=5),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_points_in_any_picture(points: list[tuple[float, float]], size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, dtype=np.uint8)
    face = aligned_face(image, five_points=np.array(points, dtype=np.float32), landmarks=None)
    if face is not None:
        assert face.image.shape == (ALIGNED_SIDE, ALIGNED_SIDE, 3)
        assert face.histogram.sum() == pytest.approx(1)


@pytest.mark.parametrize("times", [3, 5, 8])
def test_a_large_picture_gives_the_face_of_a_small_one(times: int) -> None:
    """No pixel is skipped or shifted, whatever the number of halvings before."""
    image = cv2.GaussianBlur(drawn_face(), (0, 0), 2).astype(np.uint8)
    large = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    # Pixel centres lie at whole numbers.
    points = FIVE_POINTS * np.float32(times) + np.float32((times - 1) / 2)
    small_face = aligned_face(image, five_points=FIVE_POINTS, landmarks=None)
    large_face = aligned_face(large, five_points=points, landmarks=None)
    assert small_face is not None
    assert large_face is not None
    difference = np.abs(small_face.image.astype(int) - large_face.image.astype(int))[60:560, 60:560]
    assert float(difference.mean()) < 0.5
    assert int(np.percentile(difference, 99)) <= 4
