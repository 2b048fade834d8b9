import numpy as np

from matcher.conformance.face_crop import face_crop
from matcher.conformance.face_region import aligned_face
from tests.matcher.conformance.pictures import FIVE_POINTS, plain


def test_cuts_the_face_out_of_the_portraits_own_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1300, 1300, 3), dtype=np.uint8)
    aligned = aligned_face(image, five_points=FIVE_POINTS * 2, landmarks=None)
    assert aligned is not None
    crop = face_crop(image, aligned)
    assert crop is not None
    assert abs(crop.reduction - 0.5) < 1e-3
    height, width = crop.pixels.shape[:2]
    assert np.array_equal(crop.pixels, image[crop.top : crop.top + height, crop.left : crop.left + width])
    # Brows to chin and cheek to cheek of the average face, twice its size.
    assert abs(crop.left - 2 * 178) <= 3
    assert abs(crop.top - 2 * 229) <= 3
    assert abs(width - 2 * 261) <= 6
    assert abs(height - 2 * 262) <= 6


def test_stops_where_the_portrait_does() -> None:
    aligned = aligned_face(plain(side=300), five_points=FIVE_POINTS, landmarks=None)
    assert aligned is not None
    crop = face_crop(plain(side=300), aligned)
    assert crop is not None
    assert crop.pixels.shape[:2] == (300 - crop.top, 300 - crop.left)


def test_no_pixel_of_the_face_no_crop() -> None:
    aligned = aligned_face(plain(side=100), five_points=FIVE_POINTS, landmarks=None)
    assert aligned is not None
    assert face_crop(plain(side=100), aligned) is None
