"""What the database holds, as frozen dataclasses. All times are timezone-aware UTC.

Results, reports and templates are opaque bytes here: the edge knows protobuf, storage does not.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypedDict
from uuid import UUID

from liveness.verdict import Verdict
from server.domain.reasons import CheckStatus, FailureReason
from server.domain.state import CheckState
from server.domain.terms import AttemptOutcome, EndedBy, Mode, Plan
from server.domain.tries import TryMark
from server.sandbox import memory_scope
from server.sealing import Sealed

__all__ = [
    "AttemptEnding",
    "AttemptRecord",
    "CheckChanges",
    "CheckRecord",
    "Decision",
    "EvidenceEntry",
    "ImagePurpose",
    "NewAttempt",
    "NewCheck",
    "PictureFacts",
    "RequestKey",
]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Makes a call idempotent (AIP-155).

    Attributes:
        tenant: Whose request it is; identifiers of different tenants never meet.
        method: The call, such as ``"UploadTrustedImage"``.
        request_id: The caller's identifier, at most 64 characters.
        payload_sha256: SHA-256 of the request without its ``request_id``, 32 bytes.
    """

    tenant: str
    method: str
    request_id: str
    payload_sha256: bytes


@dataclass(frozen=True, slots=True)
class NewCheck:
    """A check to create.

    Attributes:
        check_id: Its identifier, drawn by the caller.
        tenant: Whose check it is.
        policy_name: Name of the frozen policy.
        policy_version: Its version.
        policy_sha256: SHA-256 of its file, 32 bytes.
        policy_source: The file's bytes.
        requested_mode: The mode that the policy or the orchestrator asked for.
        subject_reference: Opaque reference to the person, at most 256 bytes; may be empty.
        consent_reference: Reference to the legal basis, at most 256 bytes; may be empty.
        portrait_template: The portrait's template, sealed; it is biometric.
        portrait_report: What was found in the portrait, opaque.
        pack_name: Name of the pack that made the template.
        pack_version: Its version.
        pack_sha256: Its hash, 32 bytes.
        create_time: When the trusted image was accepted.
        scan_deadline: When the scan must be over.
        result_deadline: Until when the result is handed out.
        challenge_key_sha256: What its app pins: SHA-256 of the SubjectPublicKeyInfo, 32 bytes.
        sandbox: Whether a sandbox caller made it.
        tries: What it is a try at.
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
    portrait_template: Sealed = field(repr=False)
    portrait_report: bytes = field(repr=False)
    pack_name: str
    pack_version: str
    pack_sha256: bytes
    create_time: datetime
    scan_deadline: datetime
    result_deadline: datetime
    challenge_key_sha256: bytes
    sandbox: bool = False
    tries: tuple[TryMark, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """A check as the database has it.

    Attributes:
        check_id: Its identifier.
        tenant: Whose check it is.
        state: Where it stands.
        policy_name: Name of the frozen policy.
        policy_version: Its version.
        policy_sha256: SHA-256 of its file, 32 bytes.
        policy_source: The file's bytes.
        requested_mode: The mode that the policy or the orchestrator asked for.
        subject_reference: Opaque reference to the person; empty after erasure.
        consent_reference: Reference to the legal basis; empty after erasure.
        portrait_template: The sealed template; None once the check is decided, because nothing may
            compare with it any more.
        portrait_report: What was found in the portrait, opaque; empty after erasure.
        pack_name: Name of the pack that made the template.
        pack_version: Its version.
        pack_sha256: Its hash, 32 bytes.
        create_time: When the trusted image was accepted.
        scan_deadline: When the scan must be over.
        result_deadline: Until when the result is handed out.
        challenge_key_sha256: What its app pinned, 32 bytes; None for checks from before keys were kept.
        sandbox: Whether a sandbox caller made it.
        session_key: SubjectPublicKeyInfo (DER) of the first stream's session key; None before it.
        session_key_sha256: Its SHA-256, 32 bytes; None before the first stream.
        lease_owner: The replica whose stream holds the lease; None without one.
        lease_epoch: Raised by every stream that takes the lease; 0 before the first.
        lease_until: When the lease ends unless renewed; None without one.
        resume_until: Until when the scan, whose connection was lost, counts as one that may be resumed; None
            where none was lost.
        closing: Why the orchestrator closes the check, which takes no further streams from then on; None
            where it does not.
        streams: Streams that took the lease so far.
        bytes_received: Bytes of frames received so far, over all streams.
        status: SUCCESS, FAILURE or NOT_DECIDED; None before the decision.
        reasons: Why it did not succeed, most important first.
        result: The decided result, opaque; None before the decision and after erasure.
        decide_time: When it was decided; None before.
        retain_until: When result and evidence are to be erased; None before the decision.
        finish_time: When the orchestrator first took the verdict; None before.
        erase_time: When it was erased; None before.
    """

    check_id: UUID
    tenant: str
    state: CheckState
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
    challenge_key_sha256: bytes | None
    sandbox: bool
    session_key: bytes | None = field(repr=False)
    session_key_sha256: bytes | None = field(repr=False)
    lease_owner: str | None
    lease_epoch: int
    lease_until: datetime | None
    resume_until: datetime | None
    closing: FailureReason | None
    streams: int
    bytes_received: int
    status: CheckStatus | None
    reasons: tuple[FailureReason, ...]
    result: bytes | None = field(repr=False)
    decide_time: datetime | None
    retain_until: datetime | None
    finish_time: datetime | None
    erase_time: datetime | None

    @property
    def scope(self) -> str:
        """Under which name what is remembered of the check is kept; see ``server.sandbox``."""
        return memory_scope(self.tenant, sandbox=self.sandbox)

    def held(self, now: datetime) -> bool:
        """Whether a stream holds the check's lease."""
        return self.state is CheckState.SCANNING and self.lease_until is not None and now < self.lease_until


class CheckChanges(TypedDict, total=False):
    """What a transition may change beside the state.

    Attributes:
        bytes_received: Bytes of frames received so far.
        lease_until: When the lease ends; None ends it now.
        resume_until: Until when the scan counts as one that may be resumed.
    """

    bytes_received: int
    lease_until: datetime | None
    resume_until: datetime | None


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """An attempt to start.

    Attributes:
        number: Its number in the check, from 1.
        start_time: When it begins.
        mode: How it proves life.
        plan: What it asks of the device and the person.
    """

    number: int
    start_time: datetime
    mode: Mode = Mode.EXPRESS
    plan: Plan = Plan.EXPRESS


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt as the database has it.

    Attributes:
        check_id: The check.
        number: Its number in the check, from 1.
        epoch: The lease epoch of the stream that it ran in.
        start_time: When it began.
        counted: Whether it counts against the policy's maximum: enough frames were accepted, and no fault of
            the server ended it.
        mode: How it proves life.
        plan: What it asks of the device and the person.
        outcome: What came of it; None while it runs.
        ended_by: What ended it; None while it runs, and where nobody was left to say.
        verdict: What liveness said of it; None where it was not judged.
        frames: Frames accepted.
        dropped: Captured images that the device dropped before they got an index.
        feedback: Names of the feedback codes, most important first.
        end_time: When it ended; None while it runs.
        final_mac_sha256: SHA-256 of the last MAC, 32 bytes; None where there was none.
        judgement: The outcome that this attempt would give the check should nothing follow it, opaque
            (``server.verdict.stored``); None where it was not judged, and after erasure.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnding:
    """How an attempt ended.

    Attributes:
        number: The attempt's.
        outcome: What came of it.
        ended_by: What ended it.
        verdict: What liveness said of it; None where it was not judged.
        frames: Frames accepted.
        dropped: Images that the device dropped before they got an index.
        feedback: Names of feedback codes, most important first.
        end_time: When.
        final_mac_sha256: SHA-256 of the last MAC; None where there was none.
        judgement: The outcome that this attempt would give the check should nothing follow it; None where
            it was not judged.
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

    @property
    def counts(self) -> bool:
        """Whether the attempt may count against the policy's maximum: not where the server is to blame."""
        return self.ended_by is not EndedBy.SERVER_FAULT

    def of(self, attempt: AttemptRecord) -> AttemptRecord:
        """``attempt``, which runs, as it stands once this is written."""
        return replace(
            attempt,
            counted=attempt.counted and self.counts,
            outcome=self.outcome,
            ended_by=self.ended_by,
            verdict=self.verdict,
            frames=self.frames,
            dropped=self.dropped,
            feedback=self.feedback,
            end_time=self.end_time,
            final_mac_sha256=self.final_mac_sha256,
            judgement=self.judgement,
        )


class ImagePurpose(StrEnum):
    """What a kept picture is for."""

    EVIDENCE_FRAME = "EVIDENCE_FRAME"
    """The one frame that stands for the scan."""
    AUDIT_IMAGE = "AUDIT_IMAGE"
    """A further frame, kept as far as the policy says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What is known of a picture to keep.

    Attributes:
        attempt: The attempt, from 1.
        frame_index: Index of the frame in its attempt.
        rotation: Clockwise rotation that makes it upright, degrees: 0, 90, 180 or 270.
        mirrored: Whether it is mirrored.
        media_type: Media type, such as ``"image/jpeg"``.
    """

    attempt: int
    frame_index: int
    rotation: int
    mirrored: bool
    media_type: str


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """A sealed picture: where its ciphertext lies, and the wrapped key that opens it.

    Attributes:
        kind: What it is for.
        object_key: Key of the ciphertext in the object store.
        sha256: SHA-256 of the picture as the device sent it, 32 bytes.
        frame_index: Index of the frame in its attempt.
        attempt: The attempt, from 1.
        rotation: Clockwise rotation that makes it upright, degrees: 0, 90, 180 or 270.
        mirrored: Whether it is mirrored.
        media_type: Media type, such as ``"image/jpeg"``.
        wrapped_key: The wrapped data key; without it the object can never be opened.
        key_id: The wrapping key.
    """

    kind: ImagePurpose
    object_key: str
    sha256: bytes
    frame_index: int
    attempt: int
    rotation: int
    mirrored: bool
    media_type: str
    wrapped_key: bytes = field(repr=False)
    key_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The end of a check.

    Attributes:
        status: SUCCESS, FAILURE or NOT_DECIDED.
        reasons: Why it did not succeed, most important first; empty with SUCCESS.
        result_bytes: The whole result, opaque; what a signature will cover.
        evidence: Pictures already durable in the object store, in the order to hand them out.
        decide_time: When it was decided.
        retain_until: When result and evidence are to be erased.
    """

    status: CheckStatus
    reasons: tuple[FailureReason, ...]
    result_bytes: bytes = field(repr=False)
    evidence: tuple[EvidenceEntry, ...]
    decide_time: datetime
    retain_until: datetime
