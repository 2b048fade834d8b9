"""Terms that policies, checks, scans and storage share."""

from enum import StrEnum


class Mode(StrEnum):
    """How a scan proves liveness; the members are in order of strength."""

    EXPRESS = "EXPRESS"
    DYNAMIC = "DYNAMIC"

    @property
    def strength(self) -> int:
        """The rank of the mode; a higher rank is stronger."""
        return list(Mode).index(self)


class Plan(StrEnum):
    """The requirements of an attempt on the device and the person; see ``facegate.v1.Plan``."""

    EXPRESS = "EXPRESS"
    FLASH = "FLASH"
    MOVEMENT = "MOVEMENT"


class PortraitKept(StrEnum):
    """The data kept of the trusted image after its check is created; the names are those of policy files."""

    BYTES = "bytes"
    """The image as uploaded, sealed, and its SHA-256."""
    HASH = "hash"
    """Its SHA-256 only."""
    NONE = "none"
    """Nothing."""


class AttemptOutcome(StrEnum):
    """The outcome of an attempt."""

    DECIDED = "DECIDED"
    """The attempt decided the check."""
    RETRY = "RETRY"
    """Conditions prevented a decision, and another attempt was allowed."""
    INTERRUPTED = "INTERRUPTED"
    """The attempt ended early and decided nothing."""


class EndedBy(StrEnum):
    """The event that ended an attempt; the names are those of ``facegate.v1.AttemptSummary.EndedBy``."""

    SIGNED = "SIGNED"
    """The device signed the end of the attempt."""
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
    """A fault of the server, such as a store that did not answer."""
    SERVER_STOPPED = "SERVER_STOPPED"
    """The server stopped."""


class SealedKind(StrEnum):
    """The kind of a sealed record that is no image; the kinds of images are their purposes."""

    PORTRAIT_TEMPLATE = "PORTRAIT_TEMPLATE"
    """The template of the portrait of an open check."""
    EVIDENCE_RECORD = "EVIDENCE_RECORD"
    """The evidence record of a decided check."""
    SCAN_MEMORY = "scan_memory"
    """The frame hashes of a decided scan."""
