"""Simulated recaptures and cameras: same shapes, always another image, repeatable."""

from collections.abc import Callable

import numpy as np
import pytest

from research.pad_network.recapture import as_print, as_screen, captured, jittered, turned_about
from tests.research.pad_network.builders import BOX, noise_image
from vision.face import BgrImage


@pytest.mark.parametrize("attack", [as_print, as_screen])
def test_a_recapture_changes_the_picture_and_can_be_repeated(attack: Callable[..., BgrImage]) -> None:
    image = noise_image()
    for seed in range(12):
        made = attack(image, BOX, random=np.random.default_rng(seed))
        assert (made.shape, made.dtype) == (image.shape, image.dtype)
        assert np.abs(made.astype(int) - image).mean() > 2
        np.testing.assert_array_equal(made, attack(image, BOX, random=np.random.default_rng(seed)))


def test_prints_have_a_narrower_range_of_tones() -> None:
    image = noise_image()
    image[:80], image[80:] = 0, 255
    spans = []
    for seed in range(12):
        made = as_print(image, BOX, random=np.random.default_rng(seed))
        face = made[int(BOX.top) : int(BOX.bottom), int(BOX.left) : int(BOX.right)]
        spans.append(float(np.percentile(face, 90)) - float(np.percentile(face, 10)))
    assert np.median(spans) < 235


def test_a_camera_keeps_the_face_in_the_picture() -> None:
    image = noise_image(height=300, width=260)
    for seed in range(30):
        made, box = captured(image, BOX, random=np.random.default_rng(seed))
        assert made.dtype == np.uint8
        assert min(made.shape[:2]) >= 24
        assert box.inside_fraction(made.shape[1], made.shape[0]) > 0.9


def test_the_mirror_image_of_the_mirror_image() -> None:
    image = noise_image()
    turned, box = turned_about(image, BOX)
    assert box.left == image.shape[1] - BOX.right
    again, back = turned_about(turned, box)
    np.testing.assert_array_equal(again, image)
    assert back == BOX


def test_jitter_is_bounded() -> None:
    for seed in range(50):
        box = jittered(BOX, random=np.random.default_rng(seed))
        assert 0.83 < box.width / BOX.width < 1.2
        assert abs(box.centre[0] - BOX.centre[0]) <= 0.081 * BOX.width
