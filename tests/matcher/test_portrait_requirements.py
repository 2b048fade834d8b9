"""Requirements in combination, on a drawn face with known places."""

from dataclasses import replace

import numpy as np
import pytest

from formats.image_format import ImageFormat, ImageHeader
from matcher.conformance.interface import Component, Method
from matcher.conformance.requirement import IntakeCode, Requirement, RequirementCode, Severity
from matcher.portrait_report import PortraitPolicy, RuleChange
from matcher.portrait_requirements import face_inside, portrait_requirements
from tests.matcher.conformance.heads import Head
from tests.matcher.conformance.pictures import FIVE_POINTS, drawn_face
from vision.face import Box, DetectedFace

POLICY = PortraitPolicy()
HEADER = ImageHeader(format=ImageFormat.PNG, width=616, height=616, channels=3, bits_per_channel=8)


def found(
    policy: PortraitPolicy = POLICY, *, size: int = 100_000, persons: int = 1
) -> dict[RequirementCode, Requirement]:
    view = replace(Head().portrait(), image=drawn_face())
    requirements = portrait_requirements(
        view, size=size, persons=persons, header=HEADER, declared=None, policy=policy
    )
    assert len({each.code for each in requirements}) == len(requirements)
    return {each.code: each for each in requirements}


def test_the_intake_comes_first_then_the_components_in_the_standards_order() -> None:
    codes = list(found())
    assert codes[:6] == [
        IntakeCode.MEDIA_TYPE,
        IntakeCode.FILE_SIZE,
        IntakeCode.FACE_COUNT,
        IntakeCode.FACE_INSIDE,
        IntakeCode.HEAD_POSITION_ACROSS,
        IntakeCode.HEAD_POSITION_DOWN,
    ]
    assert codes[6:] == list(Component)


def test_every_requirement_names_its_source() -> None:
    for requirement in found().values():
        assert requirement.clause.startswith(("ISO/IEC ", "Facegate: "))
        assert requirement.required
        assert bool(requirement.measured) is not bool(requirement.unassessed)


def test_the_head_is_where_it_was_drawn() -> None:
    requirements = found()
    assert requirements[IntakeCode.HEAD_POSITION_ACROSS].value == pytest.approx(308 / 616)
    down = requirements[IntakeCode.HEAD_POSITION_DOWN]
    assert down.value == pytest.approx(272 / 616)
    assert down.measured == "0.442 of the height"
    assert down.passed is True


def test_sizes_and_counts_are_compared_with_the_policy() -> None:
    assert found(size=2_000_000)[IntakeCode.FILE_SIZE].passed is True
    too_large = found(size=2_000_001)[IntakeCode.FILE_SIZE]
    assert too_large.refuses
    assert too_large.required == "at most 2,000,000 bytes"
    assert found(persons=2)[IntakeCode.FACE_COUNT].refuses


def test_a_component_carries_its_score_and_method() -> None:
    size = found()[Component.HEAD_SIZE]
    assert (size.method, size.score is not None) == (Method.STANDARD, True)
    assert found()[IntakeCode.FACE_INSIDE].method is None


def test_ignored_requirements_are_left_out() -> None:
    policy = PortraitPolicy(changes={Component.HEAD_SIZE: RuleChange(severity=Severity.IGNORED)})
    assert set(found()) - set(found(policy)) == {Component.HEAD_SIZE}


@pytest.mark.parametrize(
    ("box", "moved", "inside"),
    [
        (Box(200, 200, 400, 500), (0, 0), 1.0),
        (Box(-100, 200, 100, 500), (0, 0), 0.5),
        # The box alone would be inside; the extent computed from the eyes is not.
        (Box(0, 200, 100, 500), (-251, 0), 0.78),
        (Box(200, 0, 400, 100), (0, -272), 0.74),
    ],
)
def test_the_smaller_share_of_box_and_reckoned_face_counts(
    box: Box, moved: tuple[float, float], inside: float
) -> None:
    face = DetectedFace(box=box, confidence=0.9, five_points=FIVE_POINTS + np.array(moved, dtype=np.float32))
    requirement = face_inside(face, image=drawn_face(), policy=POLICY)
    assert requirement.value == pytest.approx(inside, abs=0.01)
    assert requirement.refuses is (inside < 0.9)
