"""A requirement on the trusted image: the rule, the measurement and the consequence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from matcher.conformance.interface import Assessment, Component, Method
from matcher.errors import PortraitPolicyInvalid


class Severity(StrEnum):
    """The consequence of a requirement that is not met."""

    HARD = "HARD"
    """The image is refused, even if the requirement could not be assessed."""
    ADVISORY = "ADVISORY"
    """The image is accepted, and the shortfall is reported."""
    IGNORED = "IGNORED"
    """The requirement is left out of the report."""


class IntakeCode(StrEnum):
    """Requirements that are not components of ISO/IEC 29794-5."""

    MEDIA_TYPE = "media_type"
    """The image is a PNG, JPEG or JPEG 2000, by its content."""
    FILE_SIZE = "file_size"
    """The upload is not too large."""
    FACE_COUNT = "face_count"
    """The image shows exactly one person."""
    FACE_INSIDE = "face_inside"
    """The whole face lies inside the image."""
    HEAD_POSITION_ACROSS = "head_position_across"
    """The point between the eyes lies in the middle of the image's width."""
    HEAD_POSITION_DOWN = "head_position_down"
    """The point between the eyes lies at the right height."""
    DECLARED_SIZE = "declared_size"
    """The size that a facial record declares is that of its image."""
    DECLARED_EYE_POSITIONS = "declared_eye_positions"
    """The eye positions that a facial record declares are those of its image."""
    DECLARED_POSE = "declared_pose"
    """The head pose that a facial record declares is that of its image."""


RequirementCode: TypeAlias = Component | IntakeCode
"""The names of the requirements: components of ISO/IEC 29794-5, and Facegate's own."""

_WORDS_ONLY: Final = frozenset({IntakeCode.MEDIA_TYPE, IntakeCode.DECLARED_SIZE})


def requirement_code(name: str) -> RequirementCode:
    """Return the code with that name.

    Raises:
        PortraitPolicyInvalid: No requirement has that name.
    """
    for codes in (Component, IntakeCode):
        if name in set(codes):
            return codes(name)
    raise PortraitPolicyInvalid(f"no requirement is named {name!r:.60}")


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of a policy for one requirement. All bounds that are given must hold.

    Attributes:
        severity: The consequence if the requirement is not met.
        minimum: Least native measure, in the measure's unit; None for no bound.
        maximum: Largest native measure; None for no bound.
        minimum_score: Least quality score, 0..100; None for no bound.
    """

    severity: Severity
    minimum: float | None = None
    maximum: float | None = None
    minimum_score: int | None = None

    def check(self, code: RequirementCode) -> None:
        """Validate the bounds for a requirement.

        Raises:
            PortraitPolicyInvalid: A bound is not a number, the bounds exclude each other, or ``code`` is a
                requirement that bounds do not apply to.
        """
        bounds = tuple(bound for bound in (self.minimum, self.maximum) if bound is not None)
        if not all(math.isfinite(bound) for bound in bounds):
            raise PortraitPolicyInvalid(f"{code}: a bound must be a finite number, got {bounds}")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise PortraitPolicyInvalid(f"{code}: minimum {bounds[0]:g} is above maximum {bounds[1]:g}")
        if self.minimum_score is not None:
            if not 0 <= self.minimum_score <= 100:
                raise PortraitPolicyInvalid(
                    f"{code}: minimum_score must lie in 0..100, got {self.minimum_score}"
                )
            if isinstance(code, IntakeCode):
                raise PortraitPolicyInvalid(f"{code}: it has no score; remove minimum_score")
        if bounds and code in _WORDS_ONLY:
            raise PortraitPolicyInvalid(f"{code}: it measures no number; remove minimum and maximum")

    def met_by(self, value: float, score: int | None) -> bool:
        """Return whether every bound holds; NaN and infinite values meet no rule."""
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        good = self.minimum_score is None or (score is not None and score >= self.minimum_score)
        return above and below and good and math.isfinite(value)

    def words(self, unit: str) -> str:
        """Return the bounds in words: ``"at least 85 px"``, ``"-5 to 5 deg"`` or ``"score at least 50"``."""
        low = "" if self.minimum is None else _number(self.minimum)
        high = "" if self.maximum is None else _number(self.maximum)
        parts = []
        if low and high:
            exact = _one(unit) if self.minimum == 1 else unit
            parts.append(f"exactly {low} {exact}" if low == high else f"{low} to {high} {unit}")
        elif low or high:
            parts.append(f"at least {low} {unit}" if low else f"at most {high} {unit}")
        if self.minimum_score is not None:
            parts.append(f"score at least {self.minimum_score}")
        return ", ".join(part.rstrip() for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement, and whether the image meets it.

    Attributes:
        clause: Its source, such as a clause of a standard.
        severity: The consequence if it is not met.
        measured: The measurement in words, with its unit; empty if it could not be assessed.
        passed: Whether it is met; None if it could not be assessed.
        value: The measurement in ``unit``; None if it could not be assessed or is not a number.
        unit: Unit of ``value``; empty for none.
        score: Quality score of ISO/IEC 29794-5, 0 (worst) to 100 (best); None if there is none.
        method: Whether the algorithm of the score is the standard's; None if there is no score.
        unassessed: Why it could not be assessed, in words; empty if it was.
    """

    code: RequirementCode
    clause: str
    severity: Severity
    measured: str
    required: str
    passed: bool | None
    value: float | None = None
    unit: str = ""
    score: int | None = None
    method: Method | None = None
    unassessed: str = ""

    @property
    def refuses(self) -> bool:
        """True if the image must be refused: the requirement is hard, and not met or not assessed."""
        return self.severity is Severity.HARD and self.passed is not True


def assessed_requirement(
    code: RequirementCode,
    *,
    clause: str,
    rule: Rule,
    assessment: Assessment,
    unit: str,
    method: Method | None = None,
) -> Requirement:
    """Make the requirement on a number that was measured, or on one that could not be."""
    value = assessment.measured
    return Requirement(
        code=code,
        clause=clause,
        severity=rule.severity,
        measured="" if value is None else _words(value, unit),
        required=rule.words(unit),
        passed=None if value is None else rule.met_by(value, assessment.score),
        value=value,
        unit=unit,
        score=assessment.score,
        method=method,
        unassessed=assessment.unassessed,
    )


def stated_requirement(
    code: RequirementCode, *, clause: str, rule: Rule, measured: str, required: str, passed: bool
) -> Requirement:
    """Make the requirement on a property that is not a number."""
    return Requirement(
        code=code,
        clause=clause,
        severity=rule.severity,
        measured=measured,
        required=required,
        passed=passed,
    )


_WHOLE: Final = frozenset({"bytes", "faces"})
_TENTHS: Final = frozenset({"px", "deg"})


def _words(value: float, unit: str) -> str:
    if unit in _WHOLE and math.isfinite(value):
        number, unit = f"{round(value):,}", _one(unit) if value == 1 else unit
    else:
        number = f"{value:.1f}" if unit in _TENTHS else f"{value:.3f}"
    return f"{number} {unit}".rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def _one(unit: str) -> str:
    return unit.removesuffix("s")


class Profile(StrEnum):
    """Sets of rules."""

    FACEGATE = "facegate"
    """The requirements that matching needs are hard; all others are advisory."""
    ISO_FULL_FRONTAL = "iso_full_frontal"
    """The full frontal image of ISO/IEC 19794-5, as far as it can be measured."""


ALWAYS_HARD: Final = frozenset({IntakeCode.MEDIA_TYPE, IntakeCode.FILE_SIZE, IntakeCode.FACE_COUNT})
"""Requirements that no policy can soften: other formats are not decoded, and of several persons it is unknown
which one is meant."""


def profile_rules(profile: Profile) -> Mapping[RequirementCode, Rule]:
    """Return a rule for every requirement.

    ``PortraitPolicy`` adds the bounds on eye distance, face inside and file size.
    """
    return _PROFILES[profile]


_advice = partial(Rule, Severity.ADVISORY)
_demand = partial(Rule, Severity.HARD)

# At 50, the sigmoids of ISO/IEC 29794-5 cross from poor to good.
_FAIR: Final = _advice(minimum_score=50)

_FACEGATE: Final[dict[RequirementCode, Rule]] = {
    **dict.fromkeys(Component, _FAIR),
    IntakeCode.MEDIA_TYPE: _demand(),
    IntakeCode.FILE_SIZE: _demand(),
    IntakeCode.FACE_COUNT: _demand(1, 1),
    IntakeCode.FACE_INSIDE: _demand(),
    # ISO/IEC 19794-5, full frontal: 0.45..0.55 of the width, 50% to 70% of the height from below.
    IntakeCode.HEAD_POSITION_ACROSS: _advice(0.45, 0.55),
    IntakeCode.HEAD_POSITION_DOWN: _advice(0.3, 0.5),
    IntakeCode.DECLARED_SIZE: _advice(),
    # In eye distances; an eye is about 0.45 wide.
    IntakeCode.DECLARED_EYE_POSITIONS: _advice(maximum=0.2),
    # The steps of the record's code are 2 degrees; a pose from five points has errors of up to 10.
    IntakeCode.DECLARED_POSE: _advice(maximum=10),
    Component.INTER_EYE_DISTANCE: _demand(),
    Component.HEAD_POSE_YAW: _advice(-5, 5),
    Component.HEAD_POSE_PITCH: _advice(-5, 5),
    Component.HEAD_POSE_ROLL: _advice(-8, 8),
    # 60% to 90% of the height from the chin to the crown, half of which lies below the eyes.
    Component.HEAD_SIZE: _advice(0.3, 0.45),
}
_ISO_FULL_FRONTAL: Final[dict[RequirementCode, Rule]] = _FACEGATE | {
    IntakeCode.HEAD_POSITION_ACROSS: _demand(0.45, 0.55),
    IntakeCode.HEAD_POSITION_DOWN: _demand(0.3, 0.5),
    # A head of at least 180 pixels has its eyes 90 apart.
    Component.INTER_EYE_DISTANCE: _demand(90),
    Component.HEAD_POSE_YAW: _demand(-5, 5),
    Component.HEAD_POSE_PITCH: _demand(-5, 5),
    Component.HEAD_POSE_ROLL: _demand(-8, 8),
    Component.HEAD_SIZE: _demand(0.3, 0.45),
    Component.EYES_OPEN: _demand(minimum_score=50),
    Component.MOUTH_CLOSED: _demand(minimum_score=50),
}
_PROFILES: Final[Mapping[Profile, Mapping[RequirementCode, Rule]]] = MappingProxyType(
    {
        Profile.FACEGATE: MappingProxyType(_FACEGATE),
        Profile.ISO_FULL_FRONTAL: MappingProxyType(_ISO_FULL_FRONTAL),
    }
)
