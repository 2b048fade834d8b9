import math

import pytest

from matcher.conformance.interface import Assessment, Component, Method, assessed, not_assessed
from matcher.conformance.remedies import REMEDIES, remedy_for
from matcher.conformance.requirement import (
    ALWAYS_HARD,
    IntakeCode,
    Profile,
    Requirement,
    Rule,
    Severity,
    assessed_requirement,
    profile_rules,
    requirement_code,
    stated_requirement,
)
from matcher.errors import PortraitPolicyInvalid


def rule(
    minimum: float | None = None,
    maximum: float | None = None,
    minimum_score: int | None = None,
    severity: Severity = Severity.ADVISORY,
) -> Rule:
    return Rule(severity=severity, minimum=minimum, maximum=maximum, minimum_score=minimum_score)


def of_number(value: float, demanded: Rule, unit: str = "deg") -> Requirement:
    return assessed_requirement(
        IntakeCode.FACE_INSIDE,
        clause="a clause",
        rule=demanded,
        assessment=Assessment(measured=value, score=None),
        unit=unit,
    )


def of_score(measured: float, score: int, demanded: Rule) -> Requirement:
    return assessed_requirement(
        Component.SHARPNESS,
        clause="a clause",
        rule=demanded,
        assessment=assessed(measured, score=score),
        unit="fraction",
        method=Method.APPROXIMATION,
    )


@pytest.mark.parametrize(
    ("measured", "minimum", "maximum", "passed"),
    [
        (85.0, 85.0, None, True),
        (84.999, 85.0, None, False),
        (5.0, -5.0, 5.0, True),
        (-5.1, -5.0, 5.0, False),
        (5.1, -5.0, 5.0, False),
        (math.nan, 85.0, None, False),
        (math.nan, None, 85.0, False),
        (math.nan, None, None, False),
        (math.inf, 85.0, None, False),
    ],
)
def test_limits_are_inclusive(
    measured: float, minimum: float | None, maximum: float | None, passed: bool
) -> None:
    assert of_number(measured, rule(minimum, maximum)).passed is passed


@pytest.mark.parametrize(
    ("demanded", "words"),
    [
        (rule(85.0), "at least 85 deg"),
        (rule(-5.0, 5.0), "-5 to 5 deg"),
        (rule(1.0, 1.0), "exactly 1 deg"),
        (rule(maximum=2_000_000), "at most 2,000,000 deg"),
        (rule(90, minimum_score=60), "at least 90 deg, score at least 60"),
        (rule(), ""),
    ],
)
def test_limits_in_words(demanded: Rule, words: str) -> None:
    assert of_number(0.0, demanded).required == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (70.249, "px", "70.2 px"),
        (0.12345, "fraction", "0.123 fraction"),
        (1_234_567, "bytes", "1,234,567 bytes"),
        (2, "faces", "2 faces"),
        (1, "faces", "1 face"),
        (math.nan, "faces", "nan faces"),
    ],
)
def test_a_measured_value_is_formatted_with_its_unit(value: float, unit: str, words: str) -> None:
    assert of_number(value, rule(), unit).measured == words


def test_every_bound_has_to_hold() -> None:
    both = rule(minimum=0.3, minimum_score=50)
    assert of_score(0.4, 60, both).passed is True
    assert of_score(0.4, 40, both).passed is False
    assert of_score(0.2, 60, both).passed is False
    # Without a score, a required score is not met.
    assert of_number(1.0, rule(minimum_score=1)).passed is False


def test_an_unassessed_requirement_is_neither_passed_nor_missed() -> None:
    found = assessed_requirement(
        Component.EYES_OPEN,
        clause="a clause",
        rule=rule(minimum_score=50, severity=Severity.HARD),
        assessment=not_assessed("there are no landmarks"),
        unit="",
        method=Method.STANDARD,
    )
    assert (found.passed, found.measured, found.value, found.score) == (None, "", None, None)
    assert found.unassessed == "there are no landmarks"
    assert found.refuses  # missing is never pass


@pytest.mark.parametrize(
    ("severity", "passed", "refuses"),
    [
        (Severity.HARD, False, True),
        (Severity.HARD, True, False),
        (Severity.ADVISORY, False, False),
        (Severity.ADVISORY, True, False),
    ],
)
def test_only_hard_requirements_refuse(severity: Severity, passed: bool, refuses: bool) -> None:
    found = stated_requirement(
        IntakeCode.DECLARED_SIZE,
        clause="a clause",
        rule=rule(severity=severity),
        measured="1 x 2 px",
        required="3 x 4 px",
        passed=passed,
    )
    assert found.refuses is refuses
    assert (found.measured, found.required, found.value) == ("1 x 2 px", "3 x 4 px", None)


@pytest.mark.parametrize(
    ("code", "demanded"),
    [
        (Component.SHARPNESS, rule(2, 1)),
        (Component.SHARPNESS, rule(math.nan)),
        (Component.SHARPNESS, rule(maximum=math.inf)),
        (Component.SHARPNESS, rule(minimum_score=101)),
        (Component.SHARPNESS, rule(minimum_score=-1)),
        (IntakeCode.FACE_INSIDE, rule(minimum_score=50)),
        (IntakeCode.DECLARED_SIZE, rule(1)),
        (IntakeCode.MEDIA_TYPE, rule(maximum=1)),
    ],
)
def test_rules_that_mean_nothing_are_refused(code: Component | IntakeCode, demanded: Rule) -> None:
    with pytest.raises(PortraitPolicyInvalid, match=code.value):
        demanded.check(code)


def test_rules_that_mean_something_are_not() -> None:
    rule(0.3, 0.5, 60).check(Component.HEAD_SIZE)
    rule(0.9).check(IntakeCode.FACE_INSIDE)
    rule().check(IntakeCode.DECLARED_SIZE)


def test_codes_are_found_by_name() -> None:
    assert requirement_code("head_pose_yaw") is Component.HEAD_POSE_YAW
    assert requirement_code("face_inside") is IntakeCode.FACE_INSIDE
    with pytest.raises(PortraitPolicyInvalid, match="'nose'"):
        requirement_code("nose")


def test_requirement_names_are_unique() -> None:
    assert not set(Component) & set(IntakeCode)


def hard(profile: Profile) -> set[Component | IntakeCode]:
    return {code for code, rule in profile_rules(profile).items() if rule.severity is Severity.HARD}


class TestProfiles:
    @pytest.mark.parametrize("profile", Profile)
    def test_every_requirement_has_a_rule_that_means_something(self, profile: Profile) -> None:
        rules = profile_rules(profile)
        assert set(rules) == {*Component, *IntakeCode}
        for code, rule in rules.items():
            rule.check(code)
        assert hard(profile) >= ALWAYS_HARD

    def test_only_the_needs_of_matching_are_hard(self) -> None:
        assert hard(Profile.FACEGATE) == {
            *ALWAYS_HARD,
            IntakeCode.FACE_INSIDE,
            Component.INTER_EYE_DISTANCE,
        }

    def test_full_frontal_has_the_requirements_of_iso_19794_5(self) -> None:
        rules = profile_rules(Profile.ISO_FULL_FRONTAL)
        assert hard(Profile.ISO_FULL_FRONTAL) == hard(Profile.FACEGATE) | {
            IntakeCode.HEAD_POSITION_ACROSS,
            IntakeCode.HEAD_POSITION_DOWN,
            Component.HEAD_POSE_YAW,
            Component.HEAD_POSE_PITCH,
            Component.HEAD_POSE_ROLL,
            Component.HEAD_SIZE,
            Component.EYES_OPEN,
            Component.MOUTH_CLOSED,
        }
        assert rules[Component.INTER_EYE_DISTANCE].minimum == 90
        assert (rules[Component.HEAD_POSE_YAW].minimum, rules[Component.HEAD_POSE_YAW].maximum) == (-5, 5)
        assert (rules[Component.HEAD_POSE_PITCH].minimum, rules[Component.HEAD_POSE_PITCH].maximum) == (-5, 5)
        assert (rules[Component.HEAD_POSE_ROLL].minimum, rules[Component.HEAD_POSE_ROLL].maximum) == (-8, 8)
        # Eyes at 50% to 70% of the height from below.
        down = rules[IntakeCode.HEAD_POSITION_DOWN]
        assert (down.minimum, down.maximum) == (0.3, 0.5)


def test_every_requirement_has_a_remedy() -> None:
    assert set(REMEDIES) == {*Component, *IntakeCode}


@pytest.mark.parametrize(
    ("code", "measured", "words"),
    [
        ("luminance_mean", "0.024 fraction", "too dark"),
        ("luminance_mean", "0.912 fraction", "too bright"),
        ("head_size", "0.250 fraction", "too small"),
        ("head_size", "0.500 fraction", "too large"),
        ("declared_size", "480 x 640 px", "another size"),
        ("luminance_mean", "", "too dark"),
    ],
)
def test_the_remedy_fits_the_measurement(code: str, measured: str, words: str) -> None:
    assert words in remedy_for(code, measured)


def test_a_code_of_a_later_server_has_no_remedy() -> None:
    assert remedy_for("something_new", "1.0 px") == ""
