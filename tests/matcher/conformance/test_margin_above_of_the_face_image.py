from pathlib import Path

import pytest

from matcher.conformance.margin_above_of_the_face_image import MarginAboveOfTheFaceImage
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score

MEASURE = MarginAboveOfTheFaceImage()


def with_margin(margin: float) -> Head:
    """A head with its eyes at this number of head lengths from the edge of an image of 2000 pixels."""
    return Head(middle=(1000, 200 * margin))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for margin, points in expected_scores(assets, "MarginAboveOfTheFaceImage"):
        portrait = with_margin(margin).portrait(side=2000)
        assert measured(MEASURE, portrait) == pytest.approx(margin, abs=1e-3)
        assert score(MEASURE, portrait) == points


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_head_at_the_edge_lacks_margin(scheme: str) -> None:
    middle = 1.4
    margins = (middle - 0.3, middle, middle + 0.3)
    found = [score(MEASURE, with_margin(margin).portrait(scheme, side=2000)) for margin in margins]
    assert found == [5, 50, 95]


def test_without_landmarks_it_is_not_assessed() -> None:
    refused(MEASURE.assess(portrait_of(plain())))
