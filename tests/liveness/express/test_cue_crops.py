import numpy as np
import pytest

from liveness.express.cue_crops import CROP_FACE, crop_face, shrink
from tests.liveness.builders import face_at
from tests.liveness.express.portrait import FACE, portrait


def test_a_crop_holds_the_face_at_its_size_in_its_place() -> None:
    crop = crop_face(portrait(), FACE)
    assert crop is not None
    assert crop.extent.width == pytest.approx(CROP_FACE)
    assert crop.frame_width == pytest.approx(200.0)
    assert crop.inside == pytest.approx(1.0, abs=0.03)
    eyes = crop.five_points[:2]
    assert float(np.linalg.norm(eyes[1] - eyes[0])) == pytest.approx(CROP_FACE / 2.15, rel=0.01)
    dark = [crop.picture[round(float(y)), round(float(x))].mean() for x, y in eyes]
    assert max(dark) < 60


def test_what_the_frame_does_not_hold_is_missing_from_the_crop() -> None:
    crop = crop_face(portrait(), face_at(20.0, 300.0, 200.0))
    assert crop is not None
    assert crop.inside == pytest.approx(0.6, abs=0.03)
    assert crop.part(-1.0, -0.5, -0.5, 0.5).shape[1] == 0
    assert crop_face(portrait(), face_at(-300.0, 300.0, 200.0)) is None


@pytest.mark.parametrize("scale", [0.05, 0.25, 0.3, 0.5, 0.8, 1.0, 2.3])
def test_shrinking_keeps_brightness_and_gives_the_size_asked_for(scale: float) -> None:
    image = portrait()
    small = shrink(image, scale)
    assert small.shape[:2] == (round(640 * scale), round(480 * scale))
    assert float(small.mean()) == pytest.approx(float(image.mean()), abs=2.0)


def test_a_thin_picture_shrinks_to_a_pixel_at_least() -> None:
    assert shrink(np.zeros((2, 300, 3), np.uint8), 0.01).shape == (1, 3, 3)
