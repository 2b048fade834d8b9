"""Sharpness and light."""

import cv2
import numpy as np
import pytest

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
