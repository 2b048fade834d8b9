import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from formats.image_format import ImageFormat, ImageHeader
from matcher.conformance.interface import Component, Method, PortraitView
from matcher.conformance.requirement import (
    IntakeCode,
    Profile,
    Requirement,
    RequirementCode,
    Rule,
    Severity,
    profile_rules,
)
from matcher.errors import PortraitPolicyInvalid
from matcher.portrait_report import (
    PortraitPolicy,
    RuleChange,
    declared_requirements,
    face_inside,
    portrait_requirements,
)
from matcher.records import (
    EyeCentres,
    RecordVersion,
    Representation,
    build_record,
    open_trusted_image,
    serialise,
)
from matcher.records.values import PoseDegrees
from tests.matcher.conformance.pictures import FIVE_POINTS, Head, drawn_face, plain, portrait_of
from vision.face import Box, DetectedFace, HeadPose
from vision.image import encode_jpeg


@pytest.mark.parametrize(
    "numbers",
    [
        {"max_bytes": 0},
        {"max_pixels": 0},
        {"max_pixels": 80_000_001},
        {"min_side": 0},
        {"min_side": 11, "max_side": 10},
        {"min_eye_distance": math.nan},
        {"min_inside_fraction": 1.1},
        {"min_face_confidence": -0.1},
        {"second_face_fraction": 0.0},
        {"second_face_fraction": 1.1},
    ],
)
def test_numbers_out_of_range_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(PortraitPolicyInvalid):
        PortraitPolicy(**numbers)  # type: ignore[arg-type] # wrong on purpose


def test_the_numbers_become_rules() -> None:
    policy = PortraitPolicy(max_bytes=100_000, min_eye_distance=95, min_inside_fraction=0.8)
    assert policy.rules[IntakeCode.FILE_SIZE] == Rule(severity=Severity.HARD, maximum=100_000)
    assert policy.rules[Component.INTER_EYE_DISTANCE] == Rule(severity=Severity.HARD, minimum=95)
    assert policy.rules[IntakeCode.FACE_INSIDE] == Rule(severity=Severity.HARD, minimum=0.8)


@pytest.mark.parametrize(
    ("profile", "asked", "least"),
    [
        (Profile.FACEGATE, 40.0, 40.0),
        (Profile.FACEGATE, 120.0, 120.0),
        (Profile.ISO_FULL_FRONTAL, 40.0, 90.0),
        (Profile.ISO_FULL_FRONTAL, 120.0, 120.0),
    ],
)
def test_the_larger_eye_distance_of_policy_and_profile_counts(
    profile: Profile, asked: float, least: float
) -> None:
    policy = PortraitPolicy(min_eye_distance=asked, profile=profile)
    assert policy.rules[Component.INTER_EYE_DISTANCE].minimum == least


@pytest.mark.parametrize(("floor", "asked"), [(85.0, 84.0), (200.0, 60.0)])
def test_a_requirement_must_not_undo_the_least_eye_distance(floor: float, asked: float) -> None:
    changes: dict[RequirementCode, RuleChange] = {Component.INTER_EYE_DISTANCE: RuleChange(minimum=asked)}
    with pytest.raises(PortraitPolicyInvalid, match="lower min_eye_distance too"):
        PortraitPolicy(min_eye_distance=floor, changes=changes)
    policy = PortraitPolicy(min_eye_distance=asked, changes=changes)
    assert policy.rules[Component.INTER_EYE_DISTANCE].minimum == asked


def test_a_change_keeps_the_unnamed_requirements() -> None:
    yaw = RuleChange(maximum=15, severity=Severity.HARD)
    policy = PortraitPolicy(
        changes={Component.HEAD_POSE_YAW: yaw, Component.SHARPNESS: RuleChange(minimum_score=80)}
    )
    assert policy.rules[Component.HEAD_POSE_YAW] == Rule(severity=Severity.HARD, minimum=-5, maximum=15)
    assert policy.rules[Component.SHARPNESS] == Rule(severity=Severity.ADVISORY, minimum_score=80)
    assert policy.rules[Component.HEAD_POSE_PITCH] == PortraitPolicy().rules[Component.HEAD_POSE_PITCH]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (IntakeCode.MEDIA_TYPE, RuleChange(severity=Severity.IGNORED)),
        (IntakeCode.FILE_SIZE, RuleChange(maximum=5e6)),
        (IntakeCode.FACE_COUNT, RuleChange(maximum=2)),
        (Component.SHARPNESS, RuleChange(minimum_score=101)),
    ],
)
def test_changes_that_are_not_allowed_are_refused(code: RequirementCode, change: RuleChange) -> None:
    with pytest.raises(PortraitPolicyInvalid, match=code.value):
        PortraitPolicy(changes={code: change})


@pytest.mark.parametrize(
    ("code", "change", "message"),
    [
        (
            Component.SHARPNESS,
            RuleChange(minimum=5),
            "sharpness: minimum must .* range, 0 to 1, got 5;",
        ),
        (Component.INTER_EYE_DISTANCE, RuleChange(maximum=-1, minimum=-2), "range, 0 and more, got -2;"),
    ],
)
def test_bounds_that_no_picture_can_miss_or_meet_are_refused_with_the_range(
    code: RequirementCode, change: RuleChange, message: str
) -> None:
    with pytest.raises(PortraitPolicyInvalid, match=message):
        PortraitPolicy(min_eye_distance=1.0, changes={code: change})


@pytest.mark.parametrize(
    ("profile", "scheme", "missing"),
    [
        (Profile.FACEGATE, None, ()),
        (Profile.FACEGATE, "ibug68", ()),
        (Profile.ISO_FULL_FRONTAL, "mediapipe478", ()),
        (Profile.ISO_FULL_FRONTAL, "insightface106", ()),
        (Profile.ISO_FULL_FRONTAL, "ibug68", ("eyes_open",)),
        (Profile.ISO_FULL_FRONTAL, None, ("eyes_open", "mouth_closed", "head_size")),
    ],
)
def test_an_unassessable_hard_requirement_is_a_shortfall(
    profile: Profile, scheme: str | None, missing: tuple[str, ...]
) -> None:
    shortfall = PortraitPolicy(profile=profile).shortfall(scheme)
    assert (shortfall is not None) is bool(missing)
    for code in missing:
        assert code in (shortfall or "")


def test_a_requirement_that_no_pack_assesses_cannot_be_hard() -> None:
    change = RuleChange(severity=Severity.HARD)
    policy = PortraitPolicy(changes={Component.NO_HEAD_COVERINGS: change})
    assert "no_head_coverings" in (policy.shortfall("mediapipe478") or "")
    advisory = replace(change, severity=Severity.ADVISORY)
    assert PortraitPolicy(changes={Component.NO_HEAD_COVERINGS: advisory}).shortfall("ibug68") is None


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


SQUARE = ImageHeader(format=ImageFormat.JPEG, width=616, height=616, channels=3, bits_per_channel=8)
RULES = profile_rules(Profile.FACEGATE)
MEASURED = EyeCentres(left=(364, 272), right=(251, 272))


@pytest.fixture(scope="module")
def silent() -> Representation:
    """A record that declares only the size."""
    record = build_record(encode_jpeg(plain()), version=RecordVersion.ISO_19794_5_2011)
    declared = open_trusted_image(serialise(record)).representation
    assert declared is not None
    return declared


def turned(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> PortraitView:
    return replace(portrait_of(plain()), pose=HeadPose(yaw=yaw, pitch=pitch, roll=roll))


def of_record(
    declared: Representation | None,
    *,
    header: ImageHeader = SQUARE,
    portrait: PortraitView | None = None,
) -> Mapping[IntakeCode, Requirement]:
    view = portrait or portrait_of(plain())
    requirements = tuple(declared_requirements(view, header=header, declared=declared, rules=RULES))
    return {IntakeCode(each.code): each for each in requirements}


class TestDeclared:
    def test_a_bare_picture_declares_nothing(self) -> None:
        assert of_record(None) == {}

    def test_a_record_that_declares_only_a_size_is_held_to_it(self, silent: Representation) -> None:
        requirements = of_record(silent)
        assert set(requirements) == {IntakeCode.DECLARED_SIZE}
        size = requirements[IntakeCode.DECLARED_SIZE]
        assert (size.measured, size.passed) == ("616 x 616 px", True)
        assert size.severity is Severity.ADVISORY

    def test_the_picture_is_believed_where_the_record_has_another_size(self, silent: Representation) -> None:
        size = of_record(replace(silent, width=337, height=449))[IntakeCode.DECLARED_SIZE]
        assert (size.measured, size.required) == ("616 x 616 px", "as declared: 337 x 449 px")
        assert size.passed is False

    def test_a_size_that_is_not_given_is_no_disagreement(self, silent: Representation) -> None:
        assert IntakeCode.DECLARED_SIZE not in of_record(replace(silent, width=None))
        assert IntakeCode.DECLARED_SIZE not in of_record(replace(silent, height=None))

    @pytest.mark.parametrize("eyes", [MEASURED, EyeCentres(left=MEASURED.right, right=MEASURED.left)])
    def test_eyes_are_where_they_are_whosever_left(self, silent: Representation, eyes: EyeCentres) -> None:
        found = of_record(replace(silent, eye_centres=eyes))[IntakeCode.DECLARED_EYE_POSITIONS]
        assert (found.passed, found.value, found.score) == (True, 0, None)

    def test_an_eye_elsewhere_is_reported_by_the_further_one(self, silent: Representation) -> None:
        off = EyeCentres(left=(364, 272 + 57), right=(251 + 10, 272))
        eyes = of_record(replace(silent, eye_centres=off))[IntakeCode.DECLARED_EYE_POSITIONS]
        assert eyes.value == pytest.approx(57 / 113)
        assert eyes.passed is False
        assert eyes.unit == "eye distances"

    def test_the_largest_difference_of_the_declared_angles_counts(self, silent: Representation) -> None:
        declared = replace(silent, pose=PoseDegrees(yaw=10, roll=-4))
        pose = of_record(declared, portrait=turned(yaw=-12, pitch=40, roll=10))[IntakeCode.DECLARED_POSE]
        # Signs are not compared, and the pitch is not declared.
        assert pose.value == pytest.approx(6)
        assert pose.passed is True
        far = of_record(declared, portrait=turned(yaw=25))[IntakeCode.DECLARED_POSE]
        assert (far.value, far.passed) == (15, False)

    def test_a_pose_that_was_not_found_is_not_compared(self, silent: Representation) -> None:
        pose = of_record(replace(silent, pose=PoseDegrees(yaw=0)), portrait=turned(yaw=180))[
            IntakeCode.DECLARED_POSE
        ]
        assert pose.passed is None

    @pytest.mark.parametrize("orientation", [3, 6, 8])
    def test_a_picture_that_is_turned_to_be_shown_is_not_compared(
        self, silent: Representation, orientation: int
    ) -> None:
        header = replace(SQUARE, orientation=orientation)
        declared = replace(silent, eye_centres=MEASURED, pose=PoseDegrees(yaw=0, pitch=0, roll=0))
        found = of_record(declared, header=header, portrait=turned(roll=90))
        for code in (IntakeCode.DECLARED_EYE_POSITIONS, IntakeCode.DECLARED_POSE):
            assert (found[code].passed, found[code].value) == (None, None)
            assert "EXIF" in found[code].unassessed
        assert of_record(declared, portrait=turned(roll=90))[IntakeCode.DECLARED_POSE].passed is False
