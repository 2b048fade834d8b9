from pathlib import Path

import pytest

from matcher.conformance.luminance_mean import LuminanceMean
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, score, with_histogram

MEASURE = LuminanceMean()


@pytest.mark.parametrize(
    ("stored", "mean", "points"), [(0, 0.0, 2), (124, 51 / 255, 50), (188, 0.502, 99), (255, 1.0, 2)]
)
def test_uniform_pictures(stored: int, mean: float, points: int) -> None:
    portrait = portrait_of(plain((stored,) * 3))
    assert measured(MEASURE, portrait) == pytest.approx(mean, abs=0.002)
    assert score(MEASURE, portrait) == pytest.approx(points, abs=1)


def test_scores_as_ofiq_does(assets: Path) -> None:
    for mean, points in expected_scores(assets, "LuminanceMean"):
        level = int(mean * 255)
        above = mean * 255 - level
        portrait = with_histogram({level: 1 - above, level + 1: above})
        assert measured(MEASURE, portrait) == pytest.approx(mean)
        assert score(MEASURE, portrait) == points
