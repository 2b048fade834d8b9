from pathlib import Path

import numpy as np
import pytest

from matcher.conformance.luminance_variance import LuminanceVariance
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, score, with_histogram

MEASURE = LuminanceVariance()


def test_one_luminance_has_no_variance() -> None:
    assert measured(MEASURE, portrait_of(plain())) == pytest.approx(0, abs=1e-12)
    assert score(MEASURE, portrait_of(plain())) == 0


def test_half_black_half_white_is_the_most_there_is() -> None:
    portrait = with_histogram({0: 0.5, 255: 0.5})
    assert measured(MEASURE, portrait) == pytest.approx(0.25)
    assert score(MEASURE, portrait) == 20


def test_scores_as_ofiq_does(assets: Path) -> None:
    for variance, points in expected_scores(assets, "LuminanceVariance"):
        # Two levels 100 apart, with a share of the upper one that gives the required variance.
        upper = (1 - np.sqrt(1 - 4 * variance / (100 / 255) ** 2)) / 2 if variance < 0.038 else None
        apart = 100 if upper is not None else 200
        share = upper if upper is not None else (1 - np.sqrt(1 - 4 * variance / (200 / 255) ** 2)) / 2
        portrait = with_histogram({20: 1 - share, 20 + apart: share})
        assert measured(MEASURE, portrait) == pytest.approx(variance)
        assert score(MEASURE, portrait) == points
