from pathlib import Path

import pytest

from matcher.conformance.dynamic_range import DynamicRange
from matcher.conformance.interface import PortraitView
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, score, with_histogram

MEASURE = DynamicRange()


@pytest.mark.parametrize("bits", [0, 1, 4, 7, 8])
def test_equally_frequent_levels(bits: int) -> None:
    portrait = with_histogram(dict.fromkeys(range(2**bits), 1 / 2**bits))
    assert measured(MEASURE, portrait) == pytest.approx(bits)
    assert score(MEASURE, portrait) == round(12.5 * bits)


def test_a_uniform_picture_has_none() -> None:
    assert measured(MEASURE, portrait_of(plain())) == 0


def portrait_with(share: float) -> PortraitView:
    """One level of this share and 255 others: the entropy falls from 8 bits to 0 as the share grows."""
    return with_histogram({0: share} | dict.fromkeys(range(1, 256), (1 - share) / 255))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for entropy, points in expected_scores(assets, "DynamicRange"):
        least, most = 1 / 256, 1.0
        for _ in range(40):
            share = (least + most) / 2
            least, most = (
                (share, most) if measured(MEASURE, portrait_with(share)) > entropy else (least, share)
            )
        assert measured(MEASURE, portrait_with(least)) == pytest.approx(entropy, abs=1e-6)
        assert score(MEASURE, portrait_with(least)) == points
