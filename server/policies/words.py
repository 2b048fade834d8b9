"""The words of a policy file that have one of a few meanings."""

from enum import StrEnum

__all__ = ["AppDisclosure", "Fallback", "RecordFaces", "RequirementSeverity"]


class Fallback(StrEnum):
    """What a DYNAMIC scan may fall back to where the light does not allow a challenge.

    A fallback is not a downgrade: a check that demands DYNAMIC does not succeed in another mode, so only a
    policy that prefers DYNAMIC and does not demand it can name one.
    """

    NONE = "none"
    """Nothing: the person is told to find less light."""
    MOVEMENT = "movement"
    """The movement challenge, in the next attempt of the same stream."""


class AppDisclosure(StrEnum):
    """What the app on the device may learn of the outcome; never scores."""

    NOTHING = "nothing"
    PASS_FAIL = "pass_fail"  # noqa: S105 - a word of the policy file, not a secret
    PASS_FAIL_AND_HINTS = "pass_fail_and_hints"  # noqa: S105 - likewise


class RequirementSeverity(StrEnum):
    """What follows from a requirement on the trusted image that is not met."""

    HARD = "hard"
    """The image is refused; also where the requirement cannot be assessed."""
    ADVISORY = "advisory"
    """It is reported."""
    IGNORED = "ignored"
    """It is left out of the report."""


class RecordFaces(StrEnum):
    """What is accepted of facial records that hold several faces."""

    EXACTLY_ONE = "exactly_one"
    """Only records of one face."""
    FIRST = "first"
    """The first face counts."""
