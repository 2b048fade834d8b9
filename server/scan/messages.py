"""The messages of a scan as the server's inside knows them; the edge converts them to the wire and back.

What is signed or MACed keeps its bytes as received beside its parsed fields.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from attempt.actions import Feedback, MoveOval, PauseCapture, Reveal
from attempt.frame import Frame, FrameLimits
from device_integrity.camera import CameraClaim, DeviceClaim
from device_integrity.runtime import RuntimeReport
from liveness.guidance import Oval
from server.device.evidence import DeviceEvidence
from server.domain.terms import Mode, Plan


class Capability(StrEnum):
    """What a device may be able to do and a server may ask for; see ``facegate.v1.Capability``."""

    FLASH = "FLASH"
    FLASH_SCROLL = "FLASH_SCROLL"
    OVAL_CHANGE = "OVAL_CHANGE"
    READY = "READY"
    RUNTIME_FINDINGS = "RUNTIME_FINDINGS"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartMessage:
    """The device opens a stream; see ``facegate.v1.ScanStart``.

    Attributes:
        raw: The ScanStart bytes as received.
        protocol_version: Version that the device speaks.
        token: The scan token.
        key_share: X25519 share, to be 32 bytes.
        session_public_key: SubjectPublicKeyInfo, DER.
        server_spki_sha256: What the device saw; 32 bytes or empty.
        resume: Whether the scan's connection was lost before.
        device: What the device claims to be.
        camera: What it claims of its camera.
        capabilities: What the device says that it can do.
    """

    raw: bytes
    protocol_version: int
    token: str
    key_share: bytes
    session_public_key: bytes
    server_spki_sha256: bytes
    resume: bool
    device: DeviceClaim
    camera: CameraClaim
    capabilities: frozenset[Capability] = frozenset()


@dataclass(frozen=True, slots=True)
class ResumeProofMessage:
    """Proof of the session key: an ECDSA signature."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class AttestationMessage:
    """Evidence of the device's platform, a report of what the app found, or both.

    Attributes:
        evidence: The evidence; ``None`` where there is a report only.
        findings: The report's bytes as received; empty without.
        report: The report; ``None`` without.
    """

    evidence: DeviceEvidence | None
    findings: bytes = b""
    report: RuntimeReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMessage(Frame):
    """One frame with what vouches for it; see ``facegate.v1.Frame`` and ``FrameHeader``.

    Attributes:
        header: The FrameHeader bytes as received.
        mac: The chained MAC.
        attempt: Attempt that the frame claims.
        dropped_before: Images dropped since the frame before.
    """

    header: bytes
    mac: bytes
    attempt: int
    dropped_before: int


class EndCause(StrEnum):
    """Why the device ended an attempt."""

    COMPLETE = "COMPLETE"
    SOURCE_ENDED = "SOURCE_ENDED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    CAMERA_FAILED = "CAMERA_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEndMessage:
    """The end of an attempt; see ``facegate.v1.AttemptEnd`` and ``AttemptEndBody``."""

    body: bytes
    signature: bytes
    attempt: int
    frame_count: int
    last_mac: bytes
    dropped_count: int
    cause: EndCause


@dataclass(frozen=True, slots=True)
class AttemptReadyMessage:
    """The person is ready for the next attempt."""


Inbound: TypeAlias = (
    StartMessage
    | ResumeProofMessage
    | AttestationMessage
    | FrameMessage
    | AttemptEndMessage
    | AttemptReadyMessage
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureBudget:
    """Limits of a scan; see ``facegate.v1.CaptureBudget``.

    Attributes:
        max_frame_bytes: Largest encoded frame.
        max_frame_pixels: Most pixels in a frame.
        max_frames_per_attempt: Most frames in an attempt.
        max_scan_bytes: Most bytes of frames in the scan, over attempts and reconnects.
        max_frames_per_second: Highest useful rate.
        min_frames_per_second: Lowest usable rate.
        max_attempt_seconds: Longest attempt.
        min_frame_side: Fewest pixels on the shorter side.
    """

    max_frame_bytes: int = 512 * 1024
    max_frame_pixels: int = 1920 * 1080
    max_frames_per_attempt: int = 400
    max_scan_bytes: int = 20 * 1024 * 1024
    max_frames_per_second: float = 24.0
    min_frames_per_second: float = 8.0
    max_attempt_seconds: float = 20.0
    min_frame_side: int = 200

    @property
    def frame_limits(self) -> FrameLimits:
        """What a frame's image may be."""
        return FrameLimits(
            max_bytes=self.max_frame_bytes, max_pixels=self.max_frame_pixels, min_side=self.min_frame_side
        )


@dataclass(frozen=True, slots=True)
class CreditMessage:
    """Room to send: frames and bytes."""

    frames: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeFields:
    """What goes into ``facegate.v1.ChallengeBody``, before it is serialised and signed."""

    protocol_version: int
    nonce: bytes
    key_share: bytes
    oval: Oval
    budget: CaptureBudget
    credit: CreditMessage
    mode: Mode
    attempts_remaining: int
    scan_deadline: datetime
    server_time: datetime
    resume_proof_required: bool
    attestation_level: str
    attestation_grace_seconds: float
    runtime_findings: bool


@dataclass(frozen=True, slots=True)
class ChallengeMessage:
    """The answer to the start: body bytes, signature, and the signing key's SubjectPublicKeyInfo."""

    body: bytes
    signature: bytes
    signing_public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStartMessage:
    """An attempt begins."""

    attempt: int
    nonce: bytes
    plan: Plan
    expected_seconds: float
    credit: CreditMessage
    oval: Oval


@dataclass(frozen=True, slots=True)
class AdjustmentMessage:
    """Asks for smaller or fewer frames; 0 leaves a property as it is."""

    max_frames_per_second: float
    max_side: int
    max_frame_bytes: int


@dataclass(frozen=True, slots=True)
class CompleteMessage:
    """The server has enough of the attempt."""

    attempt: int


class ScanStatus(StrEnum):
    """What the app may know of an attempt."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    COMPLETED = "COMPLETED"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResultMessage:
    """The outcome of an attempt, as far as the policy lets the app know.

    Attributes:
        attempt: The attempt.
        status: What the app may know.
        feedback: Feedback codes, most important first.
        another_attempt: Whether another attempt follows if the device stays.
        attempts_remaining: Attempts that may still be made.
        ready_within: Seconds for which the device's word that it is ready is waited for; ``None`` where the
            next attempt begins without.
    """

    attempt: int
    status: ScanStatus
    feedback: tuple[str, ...]
    another_attempt: bool
    attempts_remaining: int
    ready_within: float | None = None


class GoodbyeReason(StrEnum):
    """Why a stream ends without a result."""

    DRAINING = "DRAINING"
    SUPERSEDED = "SUPERSEDED"
    DEADLINE = "DEADLINE"
    CHECK_CLOSED = "CHECK_CLOSED"
    SERVER_FAULT = "SERVER_FAULT"


@dataclass(frozen=True, slots=True)
class GoodbyeMessage:
    """The stream ends; seconds until a reconnect makes sense, ``None`` where it does not."""

    reason: GoodbyeReason
    reconnect_after: float | None


Outbound: TypeAlias = (
    ChallengeMessage
    | AttemptStartMessage
    | CreditMessage
    | Feedback
    | Reveal
    | MoveOval
    | PauseCapture
    | AdjustmentMessage
    | CompleteMessage
    | ScanResultMessage
    | GoodbyeMessage
)
