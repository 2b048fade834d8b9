import pytest

from matcher.conformance.interface import Component
from matcher.conformance.profiles import ALWAYS_HARD, Profile, profile_rules
from matcher.conformance.requirement import IntakeCode, Severity


def hard(profile: Profile) -> set[Component | IntakeCode]:
    return {code for code, rule in profile_rules(profile).items() if rule.severity is Severity.HARD}


@pytest.mark.parametrize("profile", Profile)
def test_every_requirement_has_a_rule_that_means_something(profile: Profile) -> None:
    rules = profile_rules(profile)
    assert set(rules) == {*Component, *IntakeCode}
    for code, rule in rules.items():
        rule.check(code)
    assert hard(profile) >= ALWAYS_HARD


def test_only_the_needs_of_matching_are_hard() -> None:
    assert hard(Profile.FACEGATE) == {
        *ALWAYS_HARD,
        IntakeCode.FACE_INSIDE,
        Component.INTER_EYE_DISTANCE,
    }


def test_full_frontal_has_the_requirements_of_iso_19794_5() -> None:
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
