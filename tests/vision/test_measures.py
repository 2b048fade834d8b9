"""Sharpness, light, and the likeness of an eye."""

import cv2
import numpy as np
import pytest

from vision.eye_likeness import (
    EYE_HEIGHT,
    EYE_TEMPLATE,
    EYE_WIDTH,
    EYE_WIDTH_IN_EYES,
    eye_likeness,
    eye_piece,
)
from vision.face import BgrImage, Box
from vision.measures import Luminance, face_measures

FACE = Box(179, 62, 270, 178)


def sharpness(image: BgrImage, box: Box) -> float:
    return face_measures(image, box).sharpness


def luminance(image: BgrImage, box: Box) -> Luminance:
    return face_measures(image, box).luminance


class TestSharpness:
    def test_falls_with_blur(self, astronaut: BgrImage) -> None:
        blurred = [cv2.GaussianBlur(astronaut, (0, 0), sigma).astype(np.uint8) for sigma in (1.0, 2.0, 4.0)]
        values = [sharpness(image, FACE) for image in (astronaut, *blurred)]
        assert values == sorted(values, reverse=True)
        assert values[0] > 4 * values[2]

    def test_compares_across_resolutions(self, astronaut: BgrImage) -> None:
        sharp = cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        large = Box(*(4 * side for side in (FACE.left, FACE.top, FACE.right, FACE.bottom)))
        assert sharpness(sharp, large) == pytest.approx(sharpness(astronaut, FACE), rel=0.5)

    def test_a_flat_region_has_none(self) -> None:
        assert sharpness(np.full((100, 100, 3), 90, np.uint8), Box(10, 10, 60, 60)) == 0

    @pytest.mark.parametrize(
        "box", [Box(200, 200, 300, 300), Box(-50, -50, -10, -10), Box(10, 10, 10.2, 10.2)]
    )
    def test_a_region_outside_has_none(self, box: Box) -> None:
        assert sharpness(np.full((100, 100, 3), 90, np.uint8), box) == 0


class TestLuminance:
    def test_flat_grey(self) -> None:
        light = luminance(np.full((100, 100, 3), 120, np.uint8), Box(-20, 10, 60, 60))
        assert light.mean == 120
        assert light.contrast == 0
        assert (light.dark_fraction, light.saturated_fraction) == (0, 0)

    def test_dark_and_bright_halves(self) -> None:
        image = np.zeros((100, 100, 3), np.uint8)
        image[:, 50:] = 255
        light = luminance(image, Box(0, 0, 100, 100))
        assert light.mean == pytest.approx(127.5, abs=1)
        assert light.dark_fraction == pytest.approx(0.5, abs=0.02)
        assert light.saturated_fraction == pytest.approx(0.5, abs=0.02)

    def test_one_saturated_channel_counts(self) -> None:
        image = np.zeros((10, 10, 3), np.uint8)
        image[..., 2] = 255
        assert luminance(image, Box(0, 0, 10, 10)).saturated_fraction == 1

    def test_outside_the_image(self) -> None:
        assert luminance(np.zeros((10, 10, 3), np.uint8), Box(20, 20, 30, 30)).dark_fraction == 1


_WIDTH = 40.0


def _with_eye(*, mirrored: bool = False) -> BgrImage:
    """The average eye at the middle of an image, 40 pixels from corner to corner."""
    shades = (EYE_TEMPLATE[:, ::-1] if mirrored else EYE_TEMPLATE) / np.abs(EYE_TEMPLATE).max() * 60 + 130
    width = round(_WIDTH * EYE_WIDTH_IN_EYES)
    eye = cv2.resize(shades.astype(np.uint8), (width, round(width * EYE_HEIGHT / EYE_WIDTH)))
    image = np.full((120, 160, 3), 130, np.uint8)
    top, left = 60 - eye.shape[0] // 2, 80 - eye.shape[1] // 2
    image[top : top + eye.shape[0], left : left + eye.shape[1]] = eye[..., None]
    return image


_CORNERS = np.array([60.0, 60.0]), np.array([100.0, 60.0])


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_average_eye_is_an_eye(mirrored: bool) -> None:
    piece = eye_piece(_with_eye(mirrored=mirrored), *_CORNERS, mirrored=mirrored, least_width=5.0)
    assert piece is not None
    assert piece.shape == (EYE_HEIGHT, EYE_WIDTH)
    assert eye_likeness(piece) > 0.9


def test_a_flat_eye_is_like_nothing() -> None:
    piece = eye_piece(np.full((120, 160, 3), 90, np.uint8), *_CORNERS, mirrored=False, least_width=5.0)
    assert piece is not None
    assert eye_likeness(piece) == 0


def test_a_narrow_eye_is_not_cut() -> None:
    assert eye_piece(_with_eye(), *_CORNERS, mirrored=False, least_width=_WIDTH + 1) is None
