"""The enumerations of a policy file."""

from enum import StrEnum

__all__ = ["AppDisclosure", "RecordFaces", "RequirementSeverity"]


class AppDisclosure(StrEnum):
    """The part of the result that the app on the device gets; never scores."""

    NOTHING = "nothing"
    PASS_FAIL = "pass_fail"  # noqa: S105 - a word of the policy file, not a secret
    PASS_FAIL_AND_HINTS = "pass_fail_and_hints"  # noqa: S105 - likewise


class RequirementSeverity(StrEnum):
    """The consequence of an unmet requirement on the trusted image."""

    HARD = "hard"
    """The image is refused; also if the requirement cannot be assessed."""
    ADVISORY = "advisory"
    """The requirement is reported."""
    IGNORED = "ignored"
    """The requirement is not reported."""


class RecordFaces(StrEnum):
    """Which facial records are accepted, by their number of faces."""

    EXACTLY_ONE = "exactly_one"
    """Only records with one face."""
    FIRST = "first"
    """All records; the first face is used."""
