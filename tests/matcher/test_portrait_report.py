import math

import pytest

from matcher.errors import PolicyInvalid
from matcher.portrait_report import PortraitPolicy, Requirement, RequirementCode, Severity


def requirement(measured: float, minimum: float | None, maximum: float | None) -> Requirement:
    return Requirement(
        code=RequirementCode.POSE_YAW,
        clause="a clause",
        measured=measured,
        minimum=minimum,
        maximum=maximum,
        unit="deg",
        severity=Severity.ADVISORY,
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
        (math.inf, 85.0, None, False),
    ],
)
def test_limits_belong_to_what_is_allowed(
    measured: float, minimum: float | None, maximum: float | None, passed: bool
) -> None:
    assert requirement(measured, minimum, maximum).passed is passed


@pytest.mark.parametrize(
    ("minimum", "maximum", "words"),
    [
        (85.0, None, "at least 85 deg"),
        (None, 8.0, "at most 8 deg"),
        (-5.0, 5.0, "at least -5 and at most 5 deg"),
        (1.0, 1.0, "exactly 1 deg"),
    ],
)
def test_limits_in_words(minimum: float | None, maximum: float | None, words: str) -> None:
    assert requirement(0.0, minimum, maximum).required == words


def test_the_defaults_are_those_of_the_contract() -> None:
    policy = PortraitPolicy()
    assert policy.max_bytes == 2_000_000
    assert policy.min_eye_distance == 85.0


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
        {"advised_yaw": -1.0},
        {"advised_roll": math.nan},
    ],
)
def test_numbers_out_of_range_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(PolicyInvalid):
        PortraitPolicy(**numbers)  # type: ignore[arg-type] # wrong on purpose
