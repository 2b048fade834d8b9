"""Profiles: the rules for a trusted image that a policy starts from."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, RequirementCode, Rule, Severity

__all__ = ["ALWAYS_HARD", "Profile", "profile_rules"]


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


def _advice(
    minimum: float | None = None, maximum: float | None = None, minimum_score: int | None = None
) -> Rule:
    return Rule(severity=Severity.ADVISORY, minimum=minimum, maximum=maximum, minimum_score=minimum_score)


def _demand(
    minimum: float | None = None, maximum: float | None = None, minimum_score: int | None = None
) -> Rule:
    return Rule(severity=Severity.HARD, minimum=minimum, maximum=maximum, minimum_score=minimum_score)


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
