"""Terms that policies, checks, scans and storage share, and the life of a check.

The life of a check is a state machine; storage performs its transitions::

    CREATED ──scan──► SCANNING ──attempt ended, another allowed──► (stays)
       │                │  │
       │                │  └──stream lost──► WAITING ──reconnect──► SCANNING
       │                ▼                       │
       │             DECIDED ◄──────────────────┤   decision and evidence durable
       └──deadline──────►│ ◄──────deadline──────┘
                         ▼
                     FINISHED   (the orchestrator received the result)
                         │
                         ▼
                      ERASED    (retention ended: evidence keys destroyed, tombstone kept)

Evidence records are found by filter words, and by keyed hashes of references.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import combinations
from typing import Final


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

    @property
    def mode(self) -> Mode:
        """The mode of an attempt. The movement challenge has no mode of its own; it counts as EXPRESS."""
        return Mode.DYNAMIC if self is Plan.FLASH else Mode.EXPRESS


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


class ImagePurpose(StrEnum):
    """The purpose of a kept image."""

    EVIDENCE_FRAME = "EVIDENCE_FRAME"
    """The frame that stands as proof in the result."""
    AUDIT_IMAGE = "AUDIT_IMAGE"
    """A further frame, kept if the policy demands it."""
    PORTRAIT = "PORTRAIT"
    """The trusted image as uploaded, kept if the policy demands it."""


class SealedKind(StrEnum):
    """The kind of a sealed record that is no image; the kinds of images are their purposes."""

    PORTRAIT_TEMPLATE = "PORTRAIT_TEMPLATE"
    """The template of the portrait of an open check."""
    EVIDENCE_RECORD = "EVIDENCE_RECORD"
    """The evidence record of a decided check."""
    SCAN_MEMORY = "scan_memory"
    """The frame hashes of a decided scan."""


class CheckState(Enum):
    """The state of a check."""

    CREATED = "created"
    """The trusted image is accepted, and no scan has begun."""
    SCANNING = "scanning"
    """A stream holds the lease."""
    WAITING = "waiting"
    """Streams were lost or ended without a decision; the device may reconnect until the deadline."""
    DECIDED = "decided"
    """The decision and its evidence are durable; no further attempts are allowed."""
    FINISHED = "finished"
    """The orchestrator received the result."""
    ERASED = "erased"
    """The result and its evidence are erased; the identifier is never used again."""


OPEN_STATES = frozenset({CheckState.CREATED, CheckState.SCANNING, CheckState.WAITING})
"""States in which a scan may still decide the check."""

CLOSED_WITH_RESULT = frozenset({CheckState.DECIDED, CheckState.FINISHED})
"""States in which the check has a result whose evidence is kept."""


class CheckStatus(StrEnum):
    """The status of a decided check."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_DECIDED = "NOT_DECIDED"
    """A fault of the server prevented the decision; the status is no statement about the person."""


class FailureReason(StrEnum):
    """The reason of a failed check; the names are those of ``facegate.v1.FailureReason``."""

    NOT_SAME_PERSON = "NOT_SAME_PERSON"
    SPOOF = "SPOOF"
    LIVENESS_INCONCLUSIVE = "LIVENESS_INCONCLUSIVE"
    CHALLENGE_BITS_TOO_FEW = "CHALLENGE_BITS_TOO_FEW"
    DEVICE_NOT_TRUSTED = "DEVICE_NOT_TRUSTED"
    TRANSCRIPT_BROKEN = "TRANSCRIPT_BROKEN"
    IDENTITY_CHANGED = "IDENTITY_CHANGED"
    EXPIRED = "EXPIRED"
    ABANDONED = "ABANDONED"
    INTERRUPTED = "INTERRUPTED"
    CONDITIONS = "CONDITIONS"
    MODE_NOT_MET = "MODE_NOT_MET"
    CANCELLED = "CANCELLED"
    DEVICE_MANIPULATED = "DEVICE_MANIPULATED"
    SERVER_FAULT = "SERVER_FAULT"


FAULTS = frozenset({FailureReason.SERVER_FAULT, FailureReason.INTERRUPTED})
"""Faults of the server. They are never held against the person and are reasons of NOT_DECIDED only."""

ADVERSE = frozenset(
    {
        FailureReason.SPOOF,
        FailureReason.NOT_SAME_PERSON,
        FailureReason.IDENTITY_CHANGED,
        FailureReason.DEVICE_MANIPULATED,
        FailureReason.TRANSCRIPT_BROKEN,
    }
)
"""Reasons that fail a check even if the server also had a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedOutcome:
    """The outcome that a sandbox caller requested for its check; see ``facegate.v1.SandboxOutcome``.

    Attributes:
        reason: ``None`` with SUCCESS only.
        review: Whether people review the check.
    """

    status: CheckStatus
    reason: FailureReason | None = None
    delay_seconds: int = 0
    review: bool = False


_DOMAIN: Final = b"facegate/v1/evidence-reference"
# The names of pairs have this order, and the text of a policy is last.
_NAMES: Final = ("sign", "attack", "reason", "status", "sandbox", "policy")

ALL: Final = "all"
"""The term of every record."""

HOLD: Final = "hold"
"""The term of a record that is on hold."""


def term(name: str, word: str) -> str:
    """Return a term such as ``"status:FAILURE"``."""
    return f"{name}:{word}"


def pair_terms(words: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the terms of every two words together, such as ``"status_policy:FAILURE:high"``.

    Each of two words may be frequent, though few records have both. A query with two separate terms would
    read all entries of one of them.

    Args:
        words: Names and words, such as ``("status", "FAILURE")``. Two words of one name make no pair.
    """
    ordered = sorted(words, key=lambda named: _NAMES.index(named[0]))
    return tuple(
        term(f"{one}_{other}", f"{one_word}:{other_word}")
        for (one, one_word), (other, other_word) in combinations(ordered, 2)
        if one != other
    )


def reference_term(name: str, reference: str, *, tenant_key: bytes) -> str:
    """Return the term of a reference, which reveals nothing without the tenant's key.

    Args:
        name: ``"subject"`` or ``"consent"``.
        reference: The reference as the orchestrator gave it; not empty.
    """
    named = name.encode()
    data = _DOMAIN + len(named).to_bytes(2, "big") + named + reference.encode()
    return term(name, hmac.digest(tenant_key, data, "sha256").hex())
