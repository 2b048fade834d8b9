import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from matcher.conformance.natural_colour import NaturalColour
from matcher.conformance.scoring import sigmoid_score
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import SKIN, measured, plain, portrait_of, score

MEASURE = NaturalColour()


def test_skin_is_natural() -> None:
    assert measured(MEASURE, portrait_of(plain(SKIN))) == 0
    assert score(MEASURE, portrait_of(plain(SKIN))) == 100


@pytest.mark.parametrize(
    "rgb", [(205, 165, 140), (230, 120, 70), (250, 160, 60), (160, 150, 140), (255, 90, 90), (170, 150, 140)]
)
def test_the_distance_to_skin_as_a_colour_management_library_sees_it(rgb: tuple[int, int, int]) -> None:
    """Its L*a*b* is under D50, as the standard's, in whole numbers."""
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    converted = ImageCms.applyTransform(Image.new("RGB", (1, 1), rgb), to_lab)
    assert converted is not None
    # Signed bytes, which Pillow shows without their sign.
    a, b = np.array(converted, dtype=np.uint8)[0, 0, 1:].astype(np.int8).astype(int)
    distance = math.hypot(max(0, 5 - a, a - 25), max(0, 5 - b, b - 35))
    assert measured(MEASURE, portrait_of(plain(rgb[::-1]))) == pytest.approx(distance, abs=0.8)


@pytest.mark.parametrize("colour", [(128, 128, 128), (255, 255, 255), (200, 60, 40), (60, 200, 40)])
def test_grey_blue_and_green_are_not_skin(colour: tuple[int, int, int]) -> None:
    assert measured(MEASURE, portrait_of(plain(colour))) == 100
    assert score(MEASURE, portrait_of(plain(colour))) == 0


def test_a_cast_of_colour_lowers_the_score() -> None:
    ladder = []
    for cast in (0, 40, 60, 80):
        image = plain(SKIN).astype(int)
        image[..., 0] += cast
        ladder.append(score(MEASURE, portrait_of(np.clip(image, 0, 255).astype(np.uint8))))
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[-1] == 0


def standards_score(distance: float) -> int:
    return round(200 * (1 - sigmoid_score(distance, x0=0, w=10) / 100))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for distance, points in expected_scores(assets, "NaturalColour"):
        assert standards_score(distance) == points
    for colour in (SKIN, (60, 120, 230), (140, 150, 160), (90, 90, 255), (128, 128, 128)):
        portrait = portrait_of(plain(colour))
        assert score(MEASURE, portrait) == standards_score(measured(MEASURE, portrait))
