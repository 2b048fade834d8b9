import numpy as np
import pytest

from liveness.selfie import face_crop, inner_square, texture_crop
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import faceless, flat, noisy, subject
from vision.face import DetectedFace


def test_the_texture_crop_is_the_face_at_96_pixels() -> None:
    image = flat(10)
    # The extent of a face 192 wide is 259 high: ear to ear, hairline to chin.
    image[300 - 129 : 300 + 129, 240 - 96 : 240 + 96] = 200
    crop = texture_crop(subject(image, face=face_at(240, 300, 192)))
    assert crop is not None
    assert crop.shape == (96, 96)
    assert (crop[2:-2, 2:-2] == 200).all()


def test_a_face_beyond_the_border_is_cut_there() -> None:
    crop = face_crop(subject(face=face_at(0, 0, 200)), 50)
    assert crop is not None
    assert crop.shape == (50, 50)


@pytest.mark.parametrize(("width", "side"), [(100, 70), (230, 160), (365, 254), (366, 256), (440, 256)])
def test_the_inner_square_is_never_enlarged(width: float, side: int) -> None:
    square = inner_square(subject(face=face_at(width=width)))
    assert square is not None
    assert square.shape[0] == square.shape[1]
    assert square.shape[0] == pytest.approx(side, abs=2)
    assert square.shape[0] % 2 == 0


def test_a_square_of_its_own_size_is_the_pictures_pixels() -> None:
    image = noisy()
    square = inner_square(subject(image, face=face_at(240, 300, 200)))
    assert square is not None
    half = square.shape[0] // 2
    np.testing.assert_array_equal(square, image[300 - half : 300 + half, 240 - half : 240 + half, 0])


@pytest.mark.parametrize(
    "face", [face_at(width=20), face_at(x=-400), face_at(y=5000), face_at(x=float("nan"))]
)
def test_a_tiny_face_gives_no_crop(face: DetectedFace) -> None:
    assert texture_crop(subject(face=face)) is None
    assert inner_square(subject(face=face)) is None


def test_without_a_face_there_is_no_crop() -> None:
    assert texture_crop(faceless()) is None
    assert inner_square(faceless()) is None
