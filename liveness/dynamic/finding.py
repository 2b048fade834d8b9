"""What a challenge found; shared by the screen flash and the movement."""

from enum import StrEnum

__all__ = ["ChallengeFinding"]


class ChallengeFinding(StrEnum):
    """Was the challenge answered by a real face?"""

    RIGHT = "RIGHT"
    """The answer is the one that a real face gives to this challenge."""
    WRONG = "WRONG"
    """An answer was measured that contradicts the challenge, or a real face."""
    ABSENT = "ABSENT"
    """An answer would have shown, and there is none."""
    NOT_MEASURABLE = "NOT_MEASURABLE"
    """The conditions do not let an answer be seen; this speaks for neither side."""
