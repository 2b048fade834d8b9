from pathlib import Path

import cv2
import numpy as np
import pytest

from matcher.conformance.background_uniformity import BackgroundUniformity
from matcher.conformance.scoring import sigmoid_score
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import (
    SIDE,
    drawn_face,
    measured,
    plain,
    portrait_of,
    refused,
    score,
)
from vision.face import BgrImage

MEASURE = BackgroundUniformity()


def before(background: BgrImage) -> BgrImage:
    """The drawn face before a background."""
    face = drawn_face(background=(0, 255, 0))
    outside = (face.astype(int) - (0, 255, 0)).__abs__().max(axis=2) < 60
    return np.where(outside[..., None], background, face).astype(np.uint8)


def test_a_plain_wall_scores_high() -> None:
    portrait = portrait_of(before(plain((200, 200, 200))))
    assert measured(MEASURE, portrait) < 5
    assert score(MEASURE, portrait) >= 97


def test_a_slope_of_luminance_has_its_own_slope() -> None:
    """16 times the step from column to column, the weight of a Scharr filter over two columns."""
    stored = np.linspace(120, 255, SIDE)
    luminance = ((stored / 255 + 0.055) / 1.055) ** 2.4 * 255
    steps = np.abs(np.diff(luminance)).mean() * SIDE / (SIDE * 354 / 492)
    image = before(np.repeat(np.repeat(stored[None, :, None], SIDE, 0), 3, 2).astype(np.uint8))
    assert measured(MEASURE, portrait_of(image)) == pytest.approx(32 * steps, rel=0.25)


def test_a_busier_background_scores_lower() -> None:
    ladder = []
    for contrast in (0, 15, 40, 90):
        noise = np.random.default_rng(5).integers(-contrast, contrast + 1, (SIDE // 11, SIDE // 11, 1))
        pattern = cv2.resize((150 + noise).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        ladder.append(score(MEASURE, portrait_of(before(np.repeat(pattern[..., None], 3, 2)))))
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[0] > 90
    assert ladder[-1] < 40


def test_the_face_plays_no_part() -> None:
    noisy = before(plain((200, 200, 200)))
    noisy[240:480, 200:416] = np.random.default_rng(6).integers(0, 256, (240, 216, 3))
    assert measured(MEASURE, portrait_of(noisy)) < 5


def test_a_picture_that_is_all_face() -> None:
    image = np.ascontiguousarray(drawn_face()[200:500, 190:426])
    portrait = portrait_of(image, five_points=portrait_of(plain()).face.five_points - (190, 200))
    assert "beside the head" in refused(MEASURE.assess(portrait))


def standards_score(gradient: float) -> int:
    return round(190 * (1 - sigmoid_score(gradient, x0=10, w=100) / 100))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for gradient, points in expected_scores(assets, "BackgroundUniformity"):
        assert standards_score(gradient) == points
    noise = np.random.default_rng(8).integers(120, 200, (SIDE, SIDE, 1)).repeat(3, 2).astype(np.uint8)
    for background in (plain((90, 90, 90)), cv2.blur(noise, (9, 9)).astype(np.uint8), noise):
        portrait = portrait_of(before(background))
        assert score(MEASURE, portrait) == standards_score(measured(MEASURE, portrait))
