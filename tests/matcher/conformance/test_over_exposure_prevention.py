from pathlib import Path

import pytest

from matcher.conformance.over_exposure_prevention import OverExposurePrevention
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, score, with_histogram

MEASURE = OverExposurePrevention()


def test_level_247_is_bright_and_246_is_not() -> None:
    assert measured(MEASURE, with_histogram({246: 0.7, 247: 0.2, 255: 0.1})) == pytest.approx(0.3)


@pytest.mark.parametrize(("stored", "bright", "points"), [(255, 1.0, 1), (240, 0.0, 100), (0, 0.0, 100)])
def test_uniform_pictures(stored: int, bright: float, points: int) -> None:
    portrait = portrait_of(plain((stored,) * 3))
    assert measured(MEASURE, portrait) == pytest.approx(bright)
    assert score(MEASURE, portrait) == points


def test_a_hundredth_burnt_out_halves_the_score() -> None:
    assert score(MEASURE, with_histogram({255: 0.01, 128: 0.99})) == 50


def test_scores_as_ofiq_does(assets: Path) -> None:
    for bright, points in expected_scores(assets, "OverExposurePrevention"):
        assert score(MEASURE, with_histogram({250: bright, 100: 1 - bright})) == points
