import cv2
import numpy as np
import pytest

from matcher.conformance.sharpness import Sharpness
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    drawn_face,
    measured,
    plain,
    portrait_of,
    refused,
    score,
)
from vision.face import BgrImage

MEASURE = Sharpness()


def blurred(image: BgrImage, sigma: float) -> BgrImage:
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8) if sigma else image


def test_more_blur_scores_lower() -> None:
    ladder = [measured(MEASURE, portrait_of(blurred(drawn_face(), sigma))) for sigma in (0, 1, 1.6, 2, 3, 4)]
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[0] > 0.45
    assert ladder[-1] < 0.2


@pytest.mark.parametrize("degrees", [0, 45, 90])
def test_motion_in_any_direction_costs_score(degrees: int) -> None:
    streak = np.zeros((15, 15), np.float32)
    streak[7] = 1 / 15
    turned = cv2.warpAffine(streak, cv2.getRotationMatrix2D((7, 7), degrees, 1), (15, 15))
    still = drawn_face(texture=1)
    moved = cv2.filter2D(still, -1, turned / turned.sum()).astype(np.uint8)
    assert measured(MEASURE, portrait_of(moved)) < 0.55 * measured(MEASURE, portrait_of(still))
    assert score(MEASURE, portrait_of(moved)) < score(MEASURE, portrait_of(still))


@pytest.mark.parametrize("factor", [2, 3, 5])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.5])
def test_a_larger_face_measures_the_same(factor: int, sigma: float) -> None:
    """The blur counts in shares of the face, not in pixels."""
    small = blurred(drawn_face(), sigma)
    large = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    points = (FIVE_POINTS + 0.5) * factor - 0.5
    found = measured(MEASURE, portrait_of(large, five_points=points))
    assert found == pytest.approx(measured(MEASURE, portrait_of(small)), abs=0.06)


def test_a_flat_picture_is_not_sharp() -> None:
    assert score(MEASURE, portrait_of(plain())) <= 1


def test_brightness_and_contrast_play_no_part() -> None:
    face = drawn_face()
    pale = (face // 2 + 60).astype(np.uint8)
    assert measured(MEASURE, portrait_of(pale)) == pytest.approx(
        measured(MEASURE, portrait_of(face)), abs=0.03
    )


def test_a_face_outside_the_image_is_not_assessed() -> None:
    assert "outside" in refused(MEASURE.assess(portrait_of(plain(side=100))))
