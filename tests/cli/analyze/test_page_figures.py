import re

import numpy as np

from cli.analyze.page_figures import pattern_group, whole_spectrum
from cli.analyze.pictures import colour_map
from tests.cli.analyze.samples import FACE, picture
from vision.face import Box, DetectedFace


def test_the_whole_spectrum_is_that_of_the_picture() -> None:
    image = np.random.default_rng(2).normal(size=(16, 16))
    half = np.abs(np.fft.rfft2(image)).astype(np.float32)
    expected = np.fft.fftshift(np.abs(np.fft.fft2(image)))
    np.testing.assert_allclose(whole_spectrum(half), expected, rtol=1e-4)


def test_a_grid_shows_in_the_map_and_noise_does_not() -> None:
    noise = picture()
    grid = noise // 8 + 100
    grid[:, ::4] //= 2
    said = [pattern_group(image, FACE).figures[0].caption for image in (noise, grid)]
    strength = [float(re.findall(r"face: the strongest is ([\d.]+) times", each)[0]) for each in said]
    assert strength[1] > 2 * strength[0]


def test_a_small_face_has_no_map() -> None:
    points = np.array([[10, 10], [20, 10], [15, 15], [11, 20], [19, 20]], np.float32)
    small = DetectedFace(box=Box(5, 5, 25, 30), confidence=0.9, five_points=points)
    assert not pattern_group(picture()[:40, :40], small).figures


def test_maps_on_one_scale_compare() -> None:
    weak, strong = np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])
    maps = [colour_map(values, side=1, limits=(0.0, 2.0)) for values in (weak, strong)]
    assert (maps[0][0, 0] == maps[1][0, 0]).all()
    assert (maps[0][0, 1] != maps[1][0, 1]).any()
    flat = colour_map(np.full((2, 2), 7.0), side=4)
    assert flat.shape == (4, 4, 3)
    assert (flat == flat[0, 0]).all()
