import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from matcher.conformance.interface import Assess, sigmoid_score
from matcher.conformance.light import (
    dynamic_range,
    illumination_uniformity,
    luminance_mean,
    luminance_variance,
    natural_colour,
    over_exposure_prevention,
    under_exposure_prevention,
)
from tests.matcher.conformance.pictures import (
    SKIN,
    expected_scores,
    measured,
    plain,
    portrait_of,
    score,
    with_histogram,
)


class TestIlluminationUniformity:
    def test_one_light_for_both_cheeks(self) -> None:
        assert measured(illumination_uniformity, portrait_of(plain())) == pytest.approx(1)
        assert score(illumination_uniformity, portrait_of(plain())) == 100

    def test_a_half_shaded_face_scores_low(self) -> None:
        image = plain()
        image[:, :308] //= 2
        assert measured(illumination_uniformity, portrait_of(image)) == 0
        assert score(illumination_uniformity, portrait_of(image)) == 0


class TestLuminanceMean:
    @pytest.mark.parametrize(
        ("stored", "mean", "points"), [(0, 0.0, 2), (124, 51 / 255, 50), (188, 0.502, 99), (255, 1.0, 2)]
    )
    def test_uniform_pictures(self, stored: int, mean: float, points: int) -> None:
        portrait = portrait_of(plain((stored,) * 3))
        assert measured(luminance_mean, portrait) == pytest.approx(mean, abs=0.002)
        assert score(luminance_mean, portrait) == pytest.approx(points, abs=1)


class TestLuminanceVariance:
    def test_one_luminance_has_no_variance(self) -> None:
        assert measured(luminance_variance, portrait_of(plain())) == pytest.approx(0, abs=1e-12)
        assert score(luminance_variance, portrait_of(plain())) == 0

    def test_half_black_half_white_is_the_most_there_is(self) -> None:
        portrait = with_histogram({0: 0.5, 255: 0.5})
        assert measured(luminance_variance, portrait) == pytest.approx(0.25)
        assert score(luminance_variance, portrait) == 20


class TestExposurePrevention:
    @pytest.mark.parametrize(
        ("measure", "shares"),
        [
            (under_exposure_prevention, {0: 0.1, 25: 0.2, 26: 0.7}),
            (over_exposure_prevention, {246: 0.7, 247: 0.2, 255: 0.1}),
        ],
    )
    def test_levels_to_25_are_dark_and_from_247_bright(
        self, measure: Assess, shares: dict[int, float]
    ) -> None:
        assert measured(measure, with_histogram(shares)) == pytest.approx(0.3)

    @pytest.mark.parametrize(
        ("measure", "stored", "share", "points"),
        [
            (under_exposure_prevention, 80, 1.0, 0),
            (under_exposure_prevention, 140, 0.0, 100),
            (over_exposure_prevention, 255, 1.0, 1),
            (over_exposure_prevention, 240, 0.0, 100),
        ],
    )
    def test_uniform_pictures(self, measure: Assess, stored: int, share: float, points: int) -> None:
        portrait = portrait_of(plain((stored,) * 3))
        assert measured(measure, portrait) == pytest.approx(share)
        assert score(measure, portrait) == points


class TestDynamicRange:
    @pytest.mark.parametrize("bits", [0, 1, 4, 7, 8])
    def test_equally_frequent_levels(self, bits: int) -> None:
        portrait = with_histogram(dict.fromkeys(range(2**bits), 1 / 2**bits))
        assert measured(dynamic_range, portrait) == pytest.approx(bits)
        assert score(dynamic_range, portrait) == round(12.5 * bits)

    def test_a_uniform_picture_has_none(self) -> None:
        assert measured(dynamic_range, portrait_of(plain())) == 0


def standards_score(distance: float) -> int:
    return round(200 * (1 - sigmoid_score(distance, x0=0, w=10) / 100))


class TestNaturalColour:
    def test_skin_is_natural(self) -> None:
        assert measured(natural_colour, portrait_of(plain(SKIN))) == 0
        assert score(natural_colour, portrait_of(plain(SKIN))) == 100

    @pytest.mark.parametrize(
        "rgb",
        [(205, 165, 140), (230, 120, 70), (250, 160, 60), (160, 150, 140), (255, 90, 90), (170, 150, 140)],
    )
    def test_the_distance_to_skin_as_a_colour_management_library_sees_it(
        self, rgb: tuple[int, int, int]
    ) -> None:
        """Its L*a*b* is under D50, as the standard's, in whole numbers."""
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        converted = ImageCms.applyTransform(Image.new("RGB", (1, 1), rgb), to_lab)
        assert converted is not None
        # Signed bytes, which Pillow shows without their sign.
        a, b = np.array(converted, dtype=np.uint8)[0, 0, 1:].astype(np.int8).astype(int)
        distance = math.hypot(max(0, 5 - a, a - 25), max(0, 5 - b, b - 35))
        assert measured(natural_colour, portrait_of(plain(rgb[::-1]))) == pytest.approx(distance, abs=0.8)

    @pytest.mark.parametrize("colour", [(128, 128, 128), (255, 255, 255), (200, 60, 40), (60, 200, 40)])
    def test_grey_blue_and_green_are_not_skin(self, colour: tuple[int, int, int]) -> None:
        assert measured(natural_colour, portrait_of(plain(colour))) == 100
        assert score(natural_colour, portrait_of(plain(colour))) == 0

    def test_scores_as_ofiq_does(self, assets: Path) -> None:
        for distance, points in expected_scores(assets, "NaturalColour"):
            assert standards_score(distance) == points
        for colour in (SKIN, (60, 120, 230), (140, 150, 160), (90, 90, 255), (128, 128, 128)):
            portrait = portrait_of(plain(colour))
            assert score(natural_colour, portrait) == standards_score(measured(natural_colour, portrait))
