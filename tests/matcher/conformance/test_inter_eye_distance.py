from pathlib import Path

import numpy as np
import pytest

from matcher.conformance.inter_eye_distance import InterEyeDistance
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import FIVE_POINTS, measured, plain, portrait_of, refused, score

MEASURE = InterEyeDistance()


def apart(distance: float) -> float:
    return score(MEASURE, portrait_of(plain(side=64), five_points=FIVE_POINTS * np.float32(distance / 113)))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for distance, points in expected_scores(assets, "InterEyeDistance"):
        assert apart(distance) == points


@pytest.mark.parametrize(("distance", "points"), [(60, 38), (70, 50), (85, 68), (90, 73), (120, 92)])
def test_the_score_follows_the_sigmoid_of_the_standard(distance: float, points: int) -> None:
    assert apart(distance) == points


def test_the_distance_is_measured_in_the_image() -> None:
    assert measured(MEASURE, portrait_of(plain(side=64))) == pytest.approx(113)


def test_points_that_are_no_numbers_have_no_distance() -> None:
    refused(MEASURE.assess(portrait_of(plain(side=64), five_points=FIVE_POINTS * np.float32("nan"))))
