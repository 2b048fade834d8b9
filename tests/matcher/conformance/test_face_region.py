import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2xyz

from matcher.conformance.face_region import (
    ALIGNED_EYE_DISTANCE,
    ALIGNED_SIDE,
    AlignedFace,
    aligned_face,
    face_crop,
    luminance_histogram,
    luminance_image,
)
from tests.matcher.conformance.pictures import FIVE_POINTS, drawn_face, plain
from vision.face import BgrImage, Landmarks, Points


def aligned(image: BgrImage, five_points: Points = FIVE_POINTS) -> AlignedFace:
    face = aligned_face(image, five_points=five_points, landmarks=None)
    assert face is not None
    return face


def test_a_face_in_its_place_stays_there() -> None:
    image = drawn_face()
    face = aligned(image)
    assert face.transform == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=1e-4)
    seen = np.s_[0:480, 62:554]
    assert np.array_equal(face.image[seen], image[seen])


@pytest.mark.parametrize(("scale", "degrees"), [(0.5, 0), (3.0, 0), (1.0, 15), (2.0, -30)])
def test_the_eyes_come_to_their_place(scale: float, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((308, 308), degrees, scale)
    points = (FIVE_POINTS @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    face = aligned(drawn_face(), five_points=points)
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
    assert (face.face_box.left, face.face_box.top) == pytest.approx((180, 250), abs=2)
    assert (face.face_box.right, face.face_box.bottom) == pytest.approx((437, 501), abs=2)
    assert face.mask.sum() == pytest.approx(256 * 250 / 2, rel=0.03)
    assert face.histogram.sum() == pytest.approx(1)


def test_the_cheeks_are_squares_below_the_eyes_beside_the_nose() -> None:
    image = plain((0, 0, 0))
    side, top = 33, 272 + 65
    image[top : top + side, 251 : 251 + side] = (10, 20, 30)
    image[top : top + side, 364 - side : 364] = (40, 50, 60)
    face = aligned(image)
    assert face.cheeks.shape == (2, side, side, 3)
    assert face.cheeks[0].reshape(-1, 3).mean(axis=0) == pytest.approx([10, 20, 30], abs=1)
    assert face.cheeks[1].reshape(-1, 3).mean(axis=0) == pytest.approx([40, 50, 60], abs=2)


def test_outside_the_portrait_is_black() -> None:
    face = aligned(plain(side=300))
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


class TestLuminance:
    def test_agrees_with_another_implementation(self) -> None:
        image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        y = rgb2xyz(image[..., ::-1])[..., 1] * 255
        assert np.abs(luminance_image(image) - y).max() < 0.6

    def test_an_empty_mask_has_no_luminance(self) -> None:
        assert luminance_image(np.zeros((0, 4, 3), dtype=np.uint8)).shape == (0, 4)
        assert luminance_histogram(np.zeros((0, 4), dtype=np.uint8)).sum() == 0

    def test_the_histogram_counts_only_masked_pixels(self) -> None:
        luminance = np.array([[0, 7], [7, 255]], dtype=np.uint8)
        histogram = luminance_histogram(luminance, np.array([[0, 1], [1, 1]], dtype=np.uint8))
        assert histogram[7] == pytest.approx(2 / 3)
        assert histogram[255] == pytest.approx(1 / 3)
        assert histogram.sum() == pytest.approx(1)
        assert luminance_histogram(luminance)[0] == pytest.approx(1 / 4)


class TestFaceCrop:
    def test_cuts_the_face_out_of_the_portraits_own_pixels(self) -> None:
        image = np.random.default_rng(0).integers(0, 256, (1300, 1300, 3), dtype=np.uint8)
        face = aligned(image, five_points=FIVE_POINTS * 2)
        crop = face_crop(image, face)
        assert crop is not None
        assert abs(crop.reduction - 0.5) < 1e-3
        height, width = crop.pixels.shape[:2]
        assert np.array_equal(crop.pixels, image[crop.top : crop.top + height, crop.left : crop.left + width])
        # Brows to chin and cheek to cheek of the average face, twice its size.
        assert abs(crop.left - 2 * 178) <= 3
        assert abs(crop.top - 2 * 229) <= 3
        assert abs(width - 2 * 261) <= 6
        assert abs(height - 2 * 262) <= 6

    def test_stops_where_the_portrait_does(self) -> None:
        face = aligned(plain(side=300))
        crop = face_crop(plain(side=300), face)
        assert crop is not None
        assert crop.pixels.shape[:2] == (300 - crop.top, 300 - crop.left)

    def test_no_pixel_of_the_face_no_crop(self) -> None:
        face = aligned(plain(side=100))
        assert face_crop(plain(side=100), face) is None
