from dataclasses import replace

import numpy as np
import pytest

from matcher.conformance.factory import MEASURES, assess_all, unassessable
from matcher.conformance.interface import Component, PortraitView
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.pictures import FIVE_POINTS, drawn_face, portrait_of


def test_every_component_has_one_measure() -> None:
    assert sorted(measure.component for measure in MEASURES) == sorted(Component)


def drawn(scheme: str | None) -> PortraitView:
    head = Head()
    landmarks = None if scheme is None else head.landmarks(scheme)
    return portrait_of(drawn_face(), five_points=FIVE_POINTS, landmarks=landmarks)


@pytest.mark.parametrize("scheme", [None, *SCHEMES])
def test_unassessable_components_are_known_before_the_upload(scheme: str | None) -> None:
    """A policy that makes it hard is therefore refused at start-up, and no other policy is."""
    missing = {
        measure.component for measure, assessment in assess_all(drawn(scheme)) if assessment.measured is None
    }
    assert missing == set(unassessable(scheme))
    assert all(unassessable(scheme).values())


def _hostile() -> dict[str, PortraitView]:
    one = np.zeros((1, 1, 3), dtype=np.uint8)
    face = drawn("mediapipe478")
    assert face.landmarks is not None
    nowhere = np.full_like(face.landmarks.points, np.nan)
    return {
        "one pixel": portrait_of(one),
        "one pixel and landmarks": replace(face, image=one),
        "black": replace(face, image=np.zeros_like(face.image)),
        "white": replace(face, image=np.full_like(face.image, 255)),
        "outside": portrait_of(drawn_face(), five_points=FIVE_POINTS + 5000),
        "above": portrait_of(drawn_face(), five_points=FIVE_POINTS - 400),
        "points in one place": portrait_of(drawn_face(), five_points=np.zeros_like(FIVE_POINTS)),
        "points that are no numbers": portrait_of(
            drawn_face(), five_points=np.full_like(FIVE_POINTS, np.nan)
        ),
        "landmarks that are no numbers": replace(face, landmarks=replace(face.landmarks, points=nowhere)),
        "huge": portrait_of(drawn_face(), five_points=FIVE_POINTS * 1e6),
        "tiny": portrait_of(drawn_face(), five_points=FIVE_POINTS * 1e-6),
    }


@pytest.mark.parametrize("name", _hostile())
def test_no_picture_makes_a_measure_raise(name: str) -> None:
    for measure, assessment in assess_all(_hostile()[name]):
        assert (assessment.measured is None) is (assessment.score is None)
        assert bool(assessment.unassessed) is (assessment.measured is None), measure.component
        if assessment.score is not None:
            assert 0 <= assessment.score <= 100
