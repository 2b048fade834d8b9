import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from matcher.conformance.background_mask import PART_COLUMNS, PART_ROWS, PART_SIZE, background_mask
from matcher.conformance.face_region import aligned_face
from tests.matcher.conformance.pictures import FIVE_POINTS, SIDE, drawn_face, plain
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


@pytest.mark.parametrize("background", [(200, 200, 200), (180, 90, 40), (60, 130, 60)])
def test_hair_is_distinguished_from_the_background_by_its_colour(background: tuple[int, int, int]) -> None:
    image = haired(background)
    mask, hair = mask_of(image) > 0, on_part(image, (30, 45, 60))
    assert (mask & hair).sum() < 0.01 * hair.sum()
    assert (mask & on_part(image, background)).sum() > 0.5 * on_part(image, background).sum()


def test_hair_of_the_backgrounds_colour_leaves_the_average_head() -> None:
    mask = mask_of(haired((30, 45, 60)))
    assert mask.mean() > 0.2
    middle = round((308 - PART_COLUMNS.start) * PART_SIZE[0] / 492)
    assert not mask[120:, middle - 80 : middle + 80].any()


def test_outside_the_portrait_is_no_background() -> None:
    """A portrait that ends beside the ears, above the hair and below the chin."""
    image = drawn_face()[60:560, 130:490]
    assert mask_of(image, FIVE_POINTS - (130, 60)).mean() < 0.12
    assert not mask_of(image, FIVE_POINTS - (130, 60))[:40].any()


def test_the_same_picture_always_gives_the_same_mask() -> None:
    image = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    cv2.setRNGSeed(1)
    first = mask_of(image)
    cv2.setRNGSeed(99)
    assert np.array_equal(mask_of(image), first)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
def test_an_image_of_one_colour_raises_no_error(colour: tuple[int, int, int]) -> None:
    mask_of(plain(colour))
