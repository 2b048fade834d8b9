from pathlib import Path

import pytest

from matcher.conformance.under_exposure_prevention import UnderExposurePrevention
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, score, with_histogram

MEASURE = UnderExposurePrevention()


def test_level_25_is_dark_and_26_is_not() -> None:
    assert measured(MEASURE, with_histogram({0: 0.1, 25: 0.2, 26: 0.7})) == pytest.approx(0.3)


@pytest.mark.parametrize(("stored", "dark", "points"), [(0, 1.0, 0), (80, 1.0, 0), (140, 0.0, 100)])
def test_uniform_pictures(stored: int, dark: float, points: int) -> None:
    portrait = portrait_of(plain((stored,) * 3))
    assert measured(MEASURE, portrait) == pytest.approx(dark)
    assert score(MEASURE, portrait) == points


def test_the_score_falls_as_more_is_dark() -> None:
    ladder = [score(MEASURE, with_histogram({0: dark / 20, 128: 1 - dark / 20})) for dark in range(21)]
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[16] == 90
    assert ladder[18] == 52


def test_scores_as_ofiq_does(assets: Path) -> None:
    for dark, points in expected_scores(assets, "UnderExposurePrevention"):
        assert score(MEASURE, with_histogram({10: dark, 100: 1 - dark})) == points
