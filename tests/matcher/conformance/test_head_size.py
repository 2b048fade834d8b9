from pathlib import Path

import pytest

from matcher.conformance.head_size import HeadSize
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score

MEASURE = HeadSize()


def test_scores_as_ofiq_does(assets: Path) -> None:
    for size, points in expected_scores(assets, "HeadSize"):
        portrait = Head(eyes_to_chin=616 * size).portrait()
        assert measured(MEASURE, portrait) == pytest.approx(size, abs=1e-4)
        assert score(MEASURE, portrait) == points


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_score_peaks_at_nine_tenths_of_the_height(scheme: str) -> None:
    found = [score(MEASURE, Head(eyes_to_chin=616 * size).portrait(scheme)) for size in (0.3, 0.45, 0.6)]
    assert found == [9, 100, 9]


def test_without_landmarks_it_is_not_assessed() -> None:
    refused(MEASURE.assess(portrait_of(plain())))
