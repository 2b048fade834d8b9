"""The aligned face as a small grey picture."""

import cv2
import numpy as np
import pytest

from vision.face import Box, DetectedFace
from vision.geometry import CHIP_POINTS, CHIP_SHAPE, cut_chip
from vision.image import GreyImage


def _picture() -> GreyImage:
    """A smooth pattern in place of a face."""
    pattern = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (480, 480)), (0, 0), 12)
    return np.asarray(np.clip(128 + 60 * pattern / pattern.std(), 0, 255), np.uint8)


def _face(*, scale: float, aside: float, down: float) -> DetectedFace:
    """A face whose points lie in the picture as they do in a chip, scaled and shifted."""
    points = (CHIP_POINTS * np.float32(scale) + np.array([aside, down])).astype(np.float32)
    return DetectedFace(Box(*map(float, (*points.min(axis=0), *points.max(axis=0)))), 1.0, points)


def test_a_face_of_a_chips_own_size_is_cut_out_unchanged() -> None:
    rows, columns = CHIP_SHAPE
    chip = cut_chip(_picture(), _face(scale=1, aside=100, down=120))
    assert np.array_equal(chip, _picture()[120 : 120 + rows, 100 : 100 + columns])


@pytest.mark.parametrize("scale", [0.5, 1.7, 3.0])
def test_a_face_of_any_size_gives_the_same_chip(scale: float) -> None:
    cut = cut_chip(_picture(), _face(scale=1, aside=20, down=30))
    scaled = np.asarray(cv2.resize(_picture(), None, fx=scale, fy=scale), np.uint8)
    # The middle of the first pixel stays the middle of a pixel.
    shift = (scale - 1) / 2
    again = cut_chip(scaled, _face(scale=scale, aside=20 * scale + shift, down=30 * scale + shift))
    assert np.abs(again.astype(int) - cut).mean() < 2


def test_beyond_the_border_the_outermost_pixels_are_repeated() -> None:
    chip = cut_chip(_picture(), _face(scale=1, aside=-30, down=0))
    assert chip.shape == CHIP_SHAPE
    assert np.array_equal(chip[:, :30], np.repeat(chip[:, 30:31], 30, axis=1))
