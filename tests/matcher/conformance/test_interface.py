import math

import pytest

from matcher.conformance.interface import sigmoid_score


@pytest.mark.parametrize(
    ("distance", "score"), [(60, 37.75), (70, 50.0), (85, 67.92), (90, 73.11), (120, 92.41)]
)
def test_the_standards_own_figures(distance: float, score: float) -> None:
    """OFIQ's scores of the inter-eye distance (x0 70, w 20)."""
    assert sigmoid_score(distance, x0=70, w=20) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("raw", "score"), [(-1e300, 0.0), (-math.inf, 0.0), (1e300, 100.0), (math.inf, 100.0)]
)
def test_far_out_nothing_overflows(raw: float, score: float) -> None:
    assert sigmoid_score(raw, x0=0.3, w=0.001) == pytest.approx(score, abs=1e-9)
