from pathlib import Path

import pytest

from matcher.conformance.mouth_closed import MouthClosed
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score

MEASURE = MouthClosed()


def test_scores_as_ofiq_does(assets: Path) -> None:
    for opening, points in expected_scores(assets, "MouthClosed"):
        head = Head(mouth=200 * opening)
        assert score(MEASURE, head.portrait()) == pytest.approx(points, abs=1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wider_open_mouth_scores_lower(scheme: str) -> None:
    heads = [Head(mouth=200 * opening) for opening in (0.0, 0.1, 0.2, 0.3, 0.4)]
    found = [score(MEASURE, head.portrait(scheme)) for head in heads]
    assert found == [97, 84, 50, 16, 3]
    assert measured(MEASURE, heads[2].portrait(scheme)) == pytest.approx(0.2, abs=1e-4)


def test_without_landmarks_it_is_not_assessed() -> None:
    refused(MEASURE.assess(portrait_of(plain())))
