from pathlib import Path

import numpy as np
import pytest

from matcher.conformance.rightward_crop_of_the_face_image import RightwardCropOfTheFaceImage
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import FIVE_POINTS, measured, plain, portrait_of, refused, score

MEASURE = RightwardCropOfTheFaceImage()


def with_space(space: float) -> Head:
    """A head with its nearer eye at this number of eye distances from the edge of an image of 2000 pixels."""
    from_edge = 113 * (space + 0.5)
    return Head(middle=(2000 - from_edge, 800))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for space, points in expected_scores(assets, "RightwardCropOfTheFaceImage"):
        portrait = with_space(space).portrait(side=2000)
        assert measured(MEASURE, portrait) == pytest.approx(space, abs=1e-3)
        assert score(MEASURE, portrait) == points


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_face_at_the_edge_is_cropped(scheme: str) -> None:
    found = [score(MEASURE, with_space(space).portrait(scheme, side=2000)) for space in (0.6, 0.9, 1.2)]
    assert found == [5, 50, 95]


def test_without_landmarks_the_detectors_eyes_count() -> None:
    expected = (616 - 364) / 113
    assert measured(MEASURE, portrait_of(plain())) == pytest.approx(expected)


def test_eyes_in_one_place_determine_nothing() -> None:
    refused(MEASURE.assess(portrait_of(plain(), five_points=np.zeros_like(FIVE_POINTS))))
