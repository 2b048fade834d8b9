import math

import pytest

from matcher.conformance.bounds import BOUNDS, Span, validate_bounds
from matcher.conformance.interface import Component
from matcher.conformance.profiles import Profile, profile_rules
from matcher.conformance.requirement import IntakeCode, Rule, Severity
from matcher.errors import PortraitPolicyInvalid


def test_every_requirement_that_measures_a_number_has_its_range() -> None:
    assert set(BOUNDS) == {*Component, *IntakeCode} - {IntakeCode.MEDIA_TYPE, IntakeCode.DECLARED_SIZE}
    assert all(span.least < span.most for span in BOUNDS.values())


@pytest.mark.parametrize("profile", Profile)
def test_the_profiles_keep_to_the_ranges(profile: Profile) -> None:
    for code, rule in profile_rules(profile).items():
        validate_bounds(code, rule)


@pytest.mark.parametrize("code", [code for code, span in BOUNDS.items() if math.isfinite(span.most)])
def test_both_ends_belong_to_the_range_and_nothing_beyond(code: Component | IntakeCode) -> None:
    span = BOUNDS[code]
    validate_bounds(code, Rule(severity=Severity.HARD, minimum=span.least, maximum=span.most))
    for beyond in (
        Rule(severity=Severity.HARD, minimum=math.nextafter(span.least, -math.inf)),
        Rule(severity=Severity.HARD, maximum=math.nextafter(span.most, math.inf)),
    ):
        with pytest.raises(PortraitPolicyInvalid, match=f"{code}: .* range, {span.words()}, got"):
            validate_bounds(code, beyond)


def test_ranges_are_formatted_as_text() -> None:
    assert Span(0, 0.25).words() == "0 to 0.25"
    assert Span(-180, 180).words() == "-180 to 180"
    assert Span(0, math.inf).words() == "0 and more"
    with pytest.raises(PortraitPolicyInvalid, match="minimum must lie in its range, 0 and more, got -1"):
        validate_bounds(Component.EYES_OPEN, Rule(severity=Severity.HARD, minimum=-1))
