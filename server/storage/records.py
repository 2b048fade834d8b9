"""The contents of the database as frozen dataclasses. All times are timezone-aware UTC.

Results, reports and templates are opaque bytes, because storage does not know protobuf.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from liveness import Verdict, VerdictReason
from server.base.sandbox import memory_scope
from server.domain.reviews import Review
from server.domain.terms import (
    AttemptOutcome,
    CheckState,
    CheckStatus,
    EndedBy,
    FailureReason,
    Mode,
    Plan,
    RequestedOutcome,
)
from server.keyring.sealing import Sealed
from server.verdict.record import ImageFacts

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def values_of(record: "DataclassInstance") -> dict[str, Any]:
    """Return the fields of a record by their names, which are those of columns."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The key that makes a call idempotent (AIP-155).

    Attributes:
        tenant: The tenant of the request; identifiers of different tenants are independent.
        method: The call, such as ``"UploadTrustedImage"``.
        request_id: The caller's identifier, at most 64 characters.
        payload_sha256: SHA-256 of the request without its ``request_id``, 32 bytes.
    """

    tenant: str
    method: str
    request_id: str
    payload_sha256: bytes


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """A check as the database contains it. A new one has the fields up to ``retention_seconds`` only.

    Attributes:
        policy_sha256: SHA-256 of the policy file, 32 bytes.
        policy_source: The bytes of the policy file.
        requested_mode: The mode that the policy or the orchestrator requested.
        subject_reference: Opaque reference to the person, at most 256 bytes; may be empty, and is once the
            check is decided, because the evidence record has it.
        consent_reference: Reference to the legal basis; likewise.
        portrait_template: The sealed template; None once the check is decided, because nothing may be
            compared with it any more.
        portrait_report: The report on the portrait, opaque; empty once the check is decided.
        pack_name: Name of the model pack that made the template.
        pack_sha256: Hash of the pack, 32 bytes.
        create_time: When the trusted image was accepted.
        scan_deadline: When the scan must be over.
        challenge_key_sha256: The key that its app pins, 32 bytes.
        created_by: Name of the caller that created it; empty once the check is erased.
        portrait_sha256: SHA-256 of the trusted image, 32 bytes; None once the check is decided, and if the
            policy keeps nothing of it.
        retention_seconds: The retention that the upload asked for, shorter than the policy's; else None.
        session_key: SubjectPublicKeyInfo (DER) of the first stream's session key; None before the first
            stream, and once the check is decided.
        session_key_sha256: SHA-256 of the session key, 32 bytes; likewise.
        lease_owner: The replica whose stream holds the lease; None without a lease.
        lease_epoch: Incremented by every stream that acquires the lease; 0 before the first stream.
        lease_until: When the lease ends unless it is renewed; None without a lease.
        resume_until: Until when FinishCheck waits for a device whose connection was lost; None if none was
            lost.
        closing: The reason for which the orchestrator closes the check, which then accepts no further
            streams; None if it is not being closed.
        streams: The number of streams that have acquired the lease.
        bytes_received: Bytes of frames received so far, over all streams.
        status: SUCCESS, FAILURE or NOT_DECIDED; None before the decision, and if somebody made the column
            unreadable.
        reasons: The reasons for which it did not succeed, most important first; None if somebody made the
            column unreadable. The evidence record has both under its seal.
        decide_time: When it was decided; None before.
        retain_until: When result and evidence are to be erased; None before the decision.
        images_until: When the images are to be erased, if earlier than the rest; else None.
        images_erase_time: When retention erased the images, earlier than the rest; else None.
        finish_time: When the orchestrator first received the result; None before.
        erase_time: When it was erased; None before.
        events: The number of its events for webhooks so far.
        requested_outcome: The outcome that a sandbox caller requested; None in every other check.
        outcome_due: When the check decides so without a scan; None once it is decided.
        trusted_check: The check whose evidence frame is the trusted image, opaque; None once the check is
            decided, and if an image was uploaded.
        enrolled_until: Until when its evidence frame is kept as a trusted image of later checks; else None.
    """

    check_id: UUID
    tenant: str
    policy_name: str
    policy_version: int
    policy_sha256: bytes
    policy_source: bytes = field(repr=False)
    requested_mode: Mode
    subject_reference: str
    consent_reference: str
    portrait_template: Sealed | None = field(repr=False)
    portrait_report: bytes = field(repr=False)
    pack_name: str
    pack_version: str
    pack_sha256: bytes
    create_time: datetime
    scan_deadline: datetime
    result_deadline: datetime
    challenge_key_sha256: bytes
    created_by: str = ""
    sandbox: bool = False
    portrait_sha256: bytes | None = field(default=None, repr=False)
    retention_seconds: int | None = None
    state: CheckState = CheckState.CREATED
    session_key: bytes | None = field(default=None, repr=False)
    session_key_sha256: bytes | None = field(default=None, repr=False)
    lease_owner: str | None = None
    lease_epoch: int = 0
    lease_until: datetime | None = None
    resume_until: datetime | None = None
    closing: FailureReason | None = None
    streams: int = 0
    bytes_received: int = 0
    status: CheckStatus | None = None
    reasons: tuple[FailureReason, ...] | None = ()
    decide_time: datetime | None = None
    retain_until: datetime | None = None
    images_until: datetime | None = None
    images_erase_time: datetime | None = None
    finish_time: datetime | None = None
    erase_time: datetime | None = None
    events: int = 0
    requested_outcome: RequestedOutcome | None = None
    outcome_due: datetime | None = None
    trusted_check: bytes | None = field(default=None, repr=False)
    enrolled_until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a requested outcome outside the sandbox, which is a mistake in the caller's code."""
        if self.requested_outcome is not None and not self.sandbox:
            raise ValueError("an outcome is requested for a check that is not a sandbox check")

    @property
    def scope(self) -> str:
        """The name under which the scan memory of the check is stored; see ``server.base.sandbox``."""
        return memory_scope(self.tenant, sandbox=self.sandbox)

    def held(self, now: datetime) -> bool:
        """Return whether a stream holds the check's lease."""
        return self.state is CheckState.SCANNING and self.lease_until is not None and now < self.lease_until


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: the time that sorts it, in whole microseconds, and the identifier of the entry."""

    time: datetime
    identifier: UUID

    def to_bytes(self) -> bytes:
        """Return its form in page tokens, 24 bytes."""
        return ((self.time - _EPOCH) // _MICROSECOND).to_bytes(8, "big") + self.identifier.bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> "Place":
        """Return the place of ``to_bytes``."""
        moment = _EPOCH + int.from_bytes(data[:8], "big") * _MICROSECOND
        return cls(moment, UUID(bytes=data[8:]))


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt as the database contains it.

    Attributes:
        number: Its number in the check, from 1.
        counted: Whether it counts against the policy's maximum: enough frames were received, and no fault of
            the server ended it.
        mode: How it proves liveness.
        plan: The instructions to the device and the person.
        outcome: Its outcome; None while it runs.
        ended_by: The event that ended it; None while it runs, and until its own stream has stored it.
        verdict: The verdict of liveness; None if it was not judged.
        dropped: Captured images that the device dropped before they got an index.
        feedback: Names of the feedback codes, most important first.
        doubts: The doubts about the person that it raised; none while it runs.
        end_time: When it ended; None while it runs.
        final_mac_sha256: SHA-256 of the last MAC, 32 bytes; None without a MAC.
        judgement: The outcome of the check if no further attempt follows, opaque
            (``server.verdict.outcome``); None if the attempt was not judged, and once the check is decided.
        frame_hashes: SHA-256 of every received frame's image, 32 bytes each, joined; None while it runs, if
            its server stopped, and once the check is decided.
    """

    check_id: UUID
    number: int
    epoch: int
    start_time: datetime
    counted: bool
    mode: Mode
    plan: Plan
    outcome: AttemptOutcome | None
    ended_by: EndedBy | None
    verdict: Verdict | None
    frames: int
    dropped: int
    feedback: tuple[str, ...]
    end_time: datetime | None
    final_mac_sha256: bytes | None
    judgement: bytes | None = field(repr=False)
    frame_hashes: bytes | None = field(default=None, repr=False)
    doubts: tuple[VerdictReason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnding:
    """The end of an attempt.

    Attributes:
        verdict: The verdict of liveness; None if it was not judged.
        dropped: Images that the device dropped before they got an index.
        feedback: Names of feedback codes, most important first.
        doubts: The doubts about the person that it raised, also if nothing else of its judgement is kept.
        final_mac_sha256: SHA-256 of the last MAC; None without a MAC.
        judgement: The outcome of the check if no further attempt follows; None if the attempt was not judged.
        frame_hashes: SHA-256 of every received frame's image, 32 bytes each, joined.
    """

    number: int
    outcome: AttemptOutcome
    ended_by: EndedBy = EndedBy.SIGNED
    verdict: Verdict | None = None
    frames: int
    dropped: int
    feedback: tuple[str, ...]
    end_time: datetime
    final_mac_sha256: bytes | None
    judgement: bytes | None = field(default=None, repr=False)
    frame_hashes: bytes | None = field(default=None, repr=False)
    doubts: tuple[VerdictReason, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the attempt may count against the policy's maximum; False after a fault of the server."""
        return self.ended_by is not EndedBy.SERVER_FAULT

    def changes(self) -> dict[str, Any]:
        """Return the fields of the attempt that this ending changes, by their names."""
        changed = values_of(self)
        del changed["number"]
        return changed if self.counts else {**changed, "counted": False}

    def applied_to(self, attempt: AttemptRecord) -> AttemptRecord:
        """Return the running ``attempt`` in its state after this ending is written."""
        return replace(attempt, **self.changes())


class KeyKind(StrEnum):
    """The kind of an enrolled key."""

    APP_ATTEST = "app_attest"
    WEB_AUTHN = "web_authn"


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """A sealed image: what it is, the location of its ciphertext, and the wrapped key that unseals it.

    Attributes:
        wrapped_key: The wrapped data key; without it the object can never be unsealed.
    """

    facts: ImageFacts
    object_key: str
    wrapped_key: bytes = field(repr=False)
    key_id: str


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A sealed evidence record (``server.evidence.records``), and the terms by which it is found.

    Attributes:
        terms: The terms, without duplicates.
    """

    version: int
    sealed: Sealed = field(repr=False)
    terms: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a check.

    Attributes:
        status: SUCCESS, FAILURE or NOT_DECIDED.
        reasons: The reasons for which it did not succeed, most important first; empty for SUCCESS.
        record: The evidence record, which contains the result.
        evidence: Images that are already durable in the object store, in the order in which they are
            returned.
        retain_until: When result and evidence are to be erased.
        images_until: When the images are to be erased, if earlier than the rest.
        review: The review by people that begins with the decision; None for none.
        enrolled_until: Until when the evidence frame is kept as a trusted image of later checks.
        requested_outcome: Whether a sandbox caller requested the decision.
    """

    status: CheckStatus
    reasons: tuple[FailureReason, ...]
    record: SealedRecord
    evidence: tuple[EvidenceEntry, ...]
    decide_time: datetime
    retain_until: datetime
    images_until: datetime | None = None
    review: Review | None = None
    enrolled_until: datetime | None = None
    requested_outcome: bool = False
