import numpy as np
import pytest
from skimage.color import rgb2xyz

from matcher.conformance.luminance import luminance_histogram, luminance_image


@pytest.mark.parametrize(
    ("bgr", "expected"),
    [((0, 0, 0), 0), ((255, 255, 255), 255), ((188, 188, 188), 128), ((0, 0, 255), 54), ((0, 255, 0), 182)],
)
def test_known_colours(bgr: tuple[int, int, int], expected: int) -> None:
    assert luminance_image(np.full((2, 3, 3), bgr, dtype=np.uint8)).tolist() == [[expected] * 3] * 2


def test_agrees_with_another_implementation() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    y = rgb2xyz(image[..., ::-1])[..., 1] * 255
    assert np.abs(luminance_image(image) - y).max() < 0.6


def test_an_empty_mask_has_no_luminance() -> None:
    assert luminance_image(np.zeros((0, 4, 3), dtype=np.uint8)).shape == (0, 4)
    assert luminance_histogram(np.zeros((0, 4), dtype=np.uint8)).sum() == 0


def test_the_histogram_counts_only_masked_pixels() -> None:
    luminance = np.array([[0, 7], [7, 255]], dtype=np.uint8)
    histogram = luminance_histogram(luminance, np.array([[0, 1], [1, 1]], dtype=np.uint8))
    assert histogram[7] == pytest.approx(2 / 3)
    assert histogram[255] == pytest.approx(1 / 3)
    assert histogram.sum() == pytest.approx(1)
    assert luminance_histogram(luminance)[0] == pytest.approx(1 / 4)
