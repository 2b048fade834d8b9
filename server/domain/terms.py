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


class Plan(StrEnum):
    """What an attempt asks of the device and the person; see ``facegate.v1.Plan``."""

    EXPRESS = "EXPRESS"
    FLASH = "FLASH"
    MOVEMENT = "MOVEMENT"


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    DECIDED = "DECIDED"
    """It decided the check."""
    RETRY = "RETRY"
    """Conditions did not allow a decision, and another attempt was allowed."""
    INTERRUPTED = "INTERRUPTED"
    """It ended early and decided nothing."""


class EndedBy(StrEnum):
    """What ended an attempt; the names are those of ``facegate.v1.AttemptSummary.EndedBy``."""

    SIGNED = "SIGNED"
    """The device signed its end."""
    HALF_CLOSED = "HALF_CLOSED"
    """The device half-closed the stream before it signed the end."""
    CONNECTION_LOST = "CONNECTION_LOST"
    """The connection was lost."""
    SUPERSEDED = "SUPERSEDED"
    """A newer stream of the same scan took over."""
    REFUSED = "REFUSED"
    """The device broke a rule of the protocol."""
    DEADLINE = "DEADLINE"
    """The scan's deadline passed."""
    CHECK_CLOSED = "CHECK_CLOSED"
    """The orchestrator closed or cancelled the check."""
    SERVER_FAULT = "SERVER_FAULT"
    """A fault of the server, such as a storage that did not answer."""
    SERVER_STOPPED = "SERVER_STOPPED"
    """The server stopped."""
