from pathlib import Path

import pytest

from matcher.conformance.eyes_open import EyesOpen
from tests.matcher.conformance.heads import Head
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score

MEASURE = EyesOpen()


def test_scores_as_ofiq_does(assets: Path) -> None:
    for opening, points in expected_scores(assets, "EyesOpen"):
        head = Head(left_eye=200 * opening, right_eye=30)
        assert measured(MEASURE, head.portrait()) == pytest.approx(opening, abs=1e-4)
        assert score(MEASURE, head.portrait()) == pytest.approx(points, abs=1)


@pytest.mark.parametrize("winking", [Head(left_eye=1.0), Head(right_eye=1.0)])
def test_the_less_open_eye_counts(winking: Head) -> None:
    assert score(MEASURE, Head().portrait()) >= 99
    assert score(MEASURE, winking.portrait()) < 20


def test_landmarks_of_106_points_give_the_same() -> None:
    head = Head(left_eye=200 * 0.03)
    assert measured(MEASURE, head.portrait("insightface106")) == pytest.approx(0.03, abs=1e-4)


def test_dlibs_points_are_not_asked() -> None:
    assert "68 landmarks" in refused(MEASURE.assess(Head().portrait("ibug68")))


def test_without_landmarks_it_is_not_assessed() -> None:
    assert "landmarks" in refused(MEASURE.assess(portrait_of(plain())))
