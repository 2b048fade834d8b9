from dataclasses import replace

import pytest

from matcher.conformance.expression_neutrality import ExpressionNeutrality
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score
from vision.face import Blendshapes

MEASURE = ExpressionNeutrality()
NEUTRAL = Head(mouth_width=0.85 * 113)
STILL = Blendshapes(left_blink=0.1, right_blink=0.1, left_smile=0.05, right_smile=0.05, jaw_open=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_neutral_face_scores_best(scheme: str) -> None:
    assert score(MEASURE, NEUTRAL.portrait(scheme)) >= 99


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "moved",
    [
        replace(NEUTRAL, mouth_width=1.17 * 113, corner_lift=14),
        replace(NEUTRAL, mouth_width=1.25 * 113),
        replace(NEUTRAL, mouth=30),
    ],
)
def test_smiles_and_open_mouths_score_worst(scheme: str, moved: Head) -> None:
    assert score(MEASURE, moved.portrait(scheme)) < 10


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_wider_and_the_higher_the_corners_the_lower(scheme: str) -> None:
    wider = [score(MEASURE, replace(NEUTRAL, mouth_width=w * 113).portrait(scheme)) for w in (0.9, 1.0, 1.1)]
    higher = [score(MEASURE, replace(NEUTRAL, corner_lift=lift).portrait(scheme)) for lift in (0, 20, 30)]
    assert wider == sorted(wider, reverse=True)
    assert higher == sorted(higher, reverse=True)
    assert min(wider[0], higher[0]) > 90
    assert max(wider[-1], higher[-1]) < 50


def test_half_way_is_one_departure_and_half_the_score() -> None:
    head = replace(NEUTRAL, mouth_width=1.06 * 113)
    assert measured(MEASURE, head.portrait()) == pytest.approx(1.0, abs=1e-4)
    assert score(MEASURE, head.portrait()) == 50


@pytest.mark.parametrize(
    ("shapes", "points"),
    [
        (STILL, 99),
        (replace(STILL, left_smile=0.68, right_smile=0.68), 50),
        (replace(STILL, left_smile=0.95, right_smile=0.9), 8),
        (replace(STILL, jaw_open=0.4), 0),
    ],
)
def test_blendshapes_are_believed_where_there_are_any(shapes: Blendshapes, points: int) -> None:
    grinning = replace(NEUTRAL, mouth_width=1.3 * 113).portrait()
    assert grinning.landmarks is not None
    portrait = replace(grinning, landmarks=replace(grinning.landmarks, blendshapes=shapes))
    assert score(MEASURE, portrait) == pytest.approx(points, abs=2)


def test_without_landmarks_it_is_not_assessed() -> None:
    refused(MEASURE.assess(portrait_of(plain())))
