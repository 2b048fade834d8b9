"""The finding of a challenge, for both the flash and the movement."""

from enum import StrEnum

__all__ = ["ChallengeFinding"]


class ChallengeFinding(StrEnum):
    """Whether a real face answered the challenge."""

    RIGHT = "RIGHT"
    """The answer is the one that a real face gives to this challenge."""
    WRONG = "WRONG"
    """An answer was measured that contradicts the challenge, or a real face."""
    ABSENT = "ABSENT"
    """An answer would have been measurable, and there is none."""
    NOT_MEASURABLE = "NOT_MEASURABLE"
    """The conditions do not allow a measurement. This counts neither for life nor against it."""
