import math
from dataclasses import replace

import pytest

from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, RequirementCode, Rule, Severity
from matcher.errors import PortraitPolicyInvalid
from matcher.portrait_report import PortraitPolicy, Profile, Representations, RuleChange


def test_the_defaults_are_those_of_the_contract() -> None:
    policy = PortraitPolicy()
    assert policy.max_bytes == 2_000_000
    assert policy.min_eye_distance == 85.0
    assert policy.profile is Profile.FACEGATE
    assert policy.representations is Representations.EXACTLY_ONE
    assert set(policy.rules) == {*Component, *IntakeCode}


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
        (Component.HEAD_POSE_YAW, RuleChange(minimum=6)),
        (Component.SHARPNESS, RuleChange(minimum_score=101)),
        (IntakeCode.DECLARED_SIZE, RuleChange(maximum=1)),
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
        (Component.HEAD_POSE_YAW, RuleChange(maximum=200), "range, -180 to 180, got 200;"),
        (Component.INTER_EYE_DISTANCE, RuleChange(maximum=-1, minimum=-2), "range, 0 and more, got -2;"),
        (Component.LUMINANCE_VARIANCE, RuleChange(maximum=0.3), "maximum must lie in its range, 0 to 0.25,"),
        (IntakeCode.FACE_INSIDE, RuleChange(minimum=90), "face_inside: minimum must lie .* 0 to 1, got 90"),
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
