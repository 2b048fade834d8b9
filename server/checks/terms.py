"""Words that policies, checks, scans and storage share."""

from enum import StrEnum


class Mode(StrEnum):
    """How a scan proves life; in order of strength."""

    EXPRESS = "EXPRESS"
    DYNAMIC = "DYNAMIC"

    @property
    def strength(self) -> int:
        """Greater is stronger."""
        return list(Mode).index(self)


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    DECIDED = "DECIDED"
    """It decided the check."""
    RETRY = "RETRY"
    """Conditions did not allow a decision, and another attempt was allowed."""
    INTERRUPTED = "INTERRUPTED"
    """The connection was lost, or the server stopped."""
