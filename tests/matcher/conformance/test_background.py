from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from matcher.conformance.background import (
    PART_COLUMNS,
    PART_ROWS,
    PART_SIZE,
    background_mask,
    background_uniformity,
)
from matcher.conformance.face_region import aligned_face
from matcher.conformance.interface import sigmoid_score
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    SIDE,
    drawn_face,
    expected_scores,
    measured,
    plain,
    portrait_of,
    refused,
    score,
)
from vision.face import BgrImage


def mask_of(image: BgrImage, five_points: NDArray[np.float32] = FIVE_POINTS) -> NDArray[np.uint8]:
    aligned = aligned_face(image, five_points=five_points, landmarks=None)
    assert aligned is not None
    part = cv2.resize(aligned.image[PART_ROWS, PART_COLUMNS], PART_SIZE).astype(np.uint8)
    mask = background_mask(image, aligned, part=part)
    assert mask.shape == (PART_SIZE[1], PART_SIZE[0])
    assert set(np.unique(mask)) <= {0, 1}
    return mask


def haired(background: tuple[int, int, int]) -> BgrImage:
    """A head with hair that stands out far beyond an average head."""
    image = plain(background)
    cv2.ellipse(image, (308, 290), (215, 260), 0, 0, 360, (30, 45, 60), cv2.FILLED)
    cv2.ellipse(image, (308, 330), (130, 160), 0, 0, 360, (140, 165, 205), cv2.FILLED)
    texture = np.random.default_rng(4).normal(0, 6, (SIDE, SIDE, 1))
    return np.clip(image + texture, 0, 255).astype(np.uint8)


def on_part(image: BgrImage, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    part = cv2.resize(image[PART_ROWS, PART_COLUMNS], PART_SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(np.abs(part.astype(int) - colour).max(axis=2) < 40, dtype=np.bool_)


class TestMask:
    @pytest.mark.parametrize("background", [(200, 200, 200), (180, 90, 40), (60, 130, 60)])
    def test_hair_is_distinguished_from_the_background_by_its_colour(
        self, background: tuple[int, int, int]
    ) -> None:
        image = haired(background)
        mask, hair = mask_of(image) > 0, on_part(image, (30, 45, 60))
        assert (mask & hair).sum() < 0.01 * hair.sum()
        assert (mask & on_part(image, background)).sum() > 0.5 * on_part(image, background).sum()

    def test_hair_of_the_backgrounds_colour_leaves_the_average_head(self) -> None:
        mask = mask_of(haired((30, 45, 60)))
        assert mask.mean() > 0.2
        middle = round((308 - PART_COLUMNS.start) * PART_SIZE[0] / 492)
        assert not mask[120:, middle - 80 : middle + 80].any()

    def test_outside_the_portrait_is_no_background(self) -> None:
        """A portrait that ends beside the ears, above the hair and below the chin."""
        image = drawn_face()[60:560, 130:490]
        assert mask_of(image, FIVE_POINTS - (130, 60)).mean() < 0.12
        assert not mask_of(image, FIVE_POINTS - (130, 60))[:40].any()

    def test_the_same_picture_always_gives_the_same_mask(self) -> None:
        image = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        cv2.setRNGSeed(1)
        first = mask_of(image)
        cv2.setRNGSeed(99)
        assert np.array_equal(mask_of(image), first)

    @pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
    def test_an_image_of_one_colour_raises_no_error(self, colour: tuple[int, int, int]) -> None:
        mask_of(plain(colour))


def before(background: BgrImage) -> BgrImage:
    """The drawn face before a background."""
    face = drawn_face(background=(0, 255, 0))
    outside = (face.astype(int) - (0, 255, 0)).__abs__().max(axis=2) < 60
    return np.where(outside[..., None], background, face).astype(np.uint8)


def standards_score(gradient: float) -> int:
    return round(190 * (1 - sigmoid_score(gradient, x0=10, w=100) / 100))


class TestUniformity:
    def test_a_plain_wall_scores_high(self) -> None:
        portrait = portrait_of(before(plain((200, 200, 200))))
        assert measured(background_uniformity, portrait) < 5
        assert score(background_uniformity, portrait) >= 97

    def test_a_slope_of_luminance_has_its_own_slope(self) -> None:
        """16 times the step from column to column, the weight of a Scharr filter over two columns."""
        stored = np.linspace(120, 255, SIDE)
        luminance = ((stored / 255 + 0.055) / 1.055) ** 2.4 * 255
        steps = np.abs(np.diff(luminance)).mean() * SIDE / (SIDE * 354 / 492)
        image = before(np.repeat(np.repeat(stored[None, :, None], SIDE, 0), 3, 2).astype(np.uint8))
        assert measured(background_uniformity, portrait_of(image)) == pytest.approx(32 * steps, rel=0.25)

    def test_a_busier_background_scores_lower(self) -> None:
        ladder = []
        for contrast in (0, 15, 40, 90):
            noise = np.random.default_rng(5).integers(-contrast, contrast + 1, (SIDE // 11, SIDE // 11, 1))
            pattern = cv2.resize(
                (150 + noise).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST
            )
            ladder.append(
                score(background_uniformity, portrait_of(before(np.repeat(pattern[..., None], 3, 2))))
            )
        assert ladder == sorted(ladder, reverse=True)
        assert ladder[0] > 90
        assert ladder[-1] < 40

    def test_the_face_plays_no_part(self) -> None:
        noisy = before(plain((200, 200, 200)))
        noisy[240:480, 200:416] = np.random.default_rng(6).integers(0, 256, (240, 216, 3))
        assert measured(background_uniformity, portrait_of(noisy)) < 5

    def test_a_picture_that_is_all_face(self) -> None:
        image = np.ascontiguousarray(drawn_face()[200:500, 190:426])
        portrait = portrait_of(image, five_points=portrait_of(plain()).face.five_points - (190, 200))
        assert "beside the head" in refused(background_uniformity(portrait))

    def test_scores_as_ofiq_does(self, assets: Path) -> None:
        for gradient, points in expected_scores(assets, "BackgroundUniformity"):
            assert standards_score(gradient) == points
        noise = np.random.default_rng(8).integers(120, 200, (SIDE, SIDE, 1)).repeat(3, 2).astype(np.uint8)
        for background in (plain((90, 90, 90)), cv2.blur(noise, (9, 9)).astype(np.uint8), noise):
            portrait = portrait_of(before(background))
            assert score(background_uniformity, portrait) == standards_score(
                measured(background_uniformity, portrait)
            )
