from dataclasses import replace
from pathlib import Path

import pytest

from matcher.conformance.interface import PortraitView
from matcher.conformance.single_face_present import SingleFacePresent
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score
from vision.face import Box

MEASURE = SingleFacePresent()


def crowd(*sides: float) -> PortraitView:
    portrait = portrait_of(plain(side=64))
    faces = tuple(replace(portrait.face, box=Box(0, 0, side, side)) for side in sides)
    return replace(portrait, faces=faces, face=faces[0])


def test_scores_as_ofiq_does(assets: Path) -> None:
    for unicity, points in expected_scores(assets, "SingleFacePresent"):
        portrait = crowd(100.0, 100 * unicity) if unicity else crowd(100.0)
        assert measured(MEASURE, portrait) == pytest.approx(unicity)
        assert score(MEASURE, portrait) == points


def test_the_second_largest_face_counts_at_any_place() -> None:
    assert score(MEASURE, crowd(100)) == 100
    assert score(MEASURE, crowd(100, 20, 50)) == 50
    assert score(MEASURE, crowd(100, 100)) == 0


def test_boxes_without_area_are_ignored() -> None:
    refused(MEASURE.assess(crowd(0)))
