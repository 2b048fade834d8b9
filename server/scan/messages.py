"""The messages of a scan inside the server; the edge converts them to the wire and back.

Messages that are signed or MACed contain the received bytes beside the parsed fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from attempt import (
    CAPTURE_TOO_SLOW,
    MOST_FEEDBACK,
    NETWORK_TOO_SLOW,
    SERVER_BUSY,
    Feedback,
    Frame,
    FrameLimits,
    MoveOval,
    PauseCapture,
    Reveal,
)
from device_integrity import RuntimeReport
from device_integrity.camera import CameraClaim, DeviceClaim
from liveness import Oval
from server.device.evidence import DeviceEvidence
from server.domain.terms import Mode, Plan
from server.policies.schema import AppDisclosure
from server.verdict import CheckStatus, CheckVerdict


class Capability(StrEnum):
    """An optional ability of a device that the server may use; see ``facegate.v1.Capability``."""

    FLASH = "FLASH"
    FLASH_SCROLL = "FLASH_SCROLL"
    OVAL_CHANGE = "OVAL_CHANGE"
    READY = "READY"
    RUNTIME_FINDINGS = "RUNTIME_FINDINGS"
    OPEN_MOUTH = "OPEN_MOUTH"
    TURN_HEAD = "TURN_HEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartMessage:
    """The device's first message of a stream; see ``facegate.v1.ScanStart``.

    Attributes:
        raw: The ScanStart bytes as received.
        key_share: The X25519 share; valid if it has 32 bytes.
        session_public_key: SubjectPublicKeyInfo, DER.
        server_spki_sha256: The hash of the TLS key that the device saw; 32 bytes or empty.
        resume: Whether the scan's connection was lost before.
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
    """The proof that the device holds the session key: an ECDSA signature."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class AttestationMessage:
    """Evidence of the device's platform, the app's report of run-time findings, or both.

    Attributes:
        evidence: The evidence; ``None`` if there is only a report.
        findings: The report's bytes as received; empty without a report.
        report: The parsed report; ``None`` without a report.
    """

    evidence: DeviceEvidence | None
    findings: bytes = b""
    report: RuntimeReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMessage(Frame):
    """One frame with its header and MAC; see ``facegate.v1.Frame`` and ``FrameHeader``.

    Attributes:
        header: The FrameHeader bytes as received.
        dropped_before: Images dropped since the previous frame.
    """

    header: bytes
    mac: bytes
    attempt: int
    dropped_before: int


class EndCause(StrEnum):
    """The reason for which the device ended an attempt."""

    COMPLETE = "COMPLETE"
    SOURCE_ENDED = "SOURCE_ENDED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    CAMERA_FAILED = "CAMERA_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEndMessage:
    """The end of an attempt, signed by the device; see ``facegate.v1.AttemptEnd`` and ``AttemptEndBody``."""

    body: bytes
    signature: bytes
    attempt: int
    frame_count: int
    last_mac: bytes
    dropped_count: int
    cause: EndCause


@dataclass(frozen=True, slots=True)
class AttemptReadyMessage:
    """The device's message that the person is ready for the next attempt."""


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
        max_frame_bytes: Size of the largest encoded frame, in bytes.
        max_scan_bytes: Bytes of all frames of the scan, over attempts and reconnects.
        max_frames_per_second: The highest useful frame rate.
        min_frames_per_second: The lowest usable frame rate.
        max_attempt_seconds: Length of the longest attempt.
        min_frame_side: Pixels of the shorter side of the smallest frame.
    """

    max_frame_bytes: int = 512 * 1024
    max_frame_pixels: int = 1920 * 1080
    max_frames_per_attempt: int = 400
    max_scan_bytes: int = 20 * 1024 * 1024
    max_frames_per_second: float = 24.0
    min_frames_per_second: float = 8.0
    max_attempt_seconds: float = 20.0
    min_frame_side: int = 200

    def extended(self, seconds: float) -> "CaptureBudget":
        """Return the limits of a scan whose longest attempt takes longer, with as many frames a second.

        The bytes of the scan stay the same: frames become fewer or smaller (``budget.AttemptShare``).
        """
        longer = self.max_attempt_seconds + seconds
        frames = round(longer / self.max_attempt_seconds * self.max_frames_per_attempt)
        return replace(self, max_attempt_seconds=longer, max_frames_per_attempt=frames)

    @property
    def frame_limits(self) -> FrameLimits:
        """The limits on the image of a single frame."""
        return FrameLimits(
            max_bytes=self.max_frame_bytes, max_pixels=self.max_frame_pixels, min_side=self.min_frame_side
        )


@dataclass(frozen=True, slots=True)
class CreditMessage:
    """Frames and bytes that the device may send in addition."""

    frames: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeFields:
    """The fields of ``facegate.v1.ChallengeBody``, before it is serialised and signed."""

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
    """The response to the start: body bytes, signature, and the signing key's SubjectPublicKeyInfo."""

    body: bytes
    signature: bytes
    signing_public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStartMessage:
    """The server's message that an attempt begins."""

    attempt: int
    nonce: bytes
    plan: Plan
    expected_seconds: float
    credit: CreditMessage
    oval: Oval


@dataclass(frozen=True, slots=True)
class AdjustmentMessage:
    """A request for smaller or fewer frames; 0 leaves a property unchanged."""

    max_frames_per_second: float
    max_side: int
    max_frame_bytes: int


@dataclass(frozen=True, slots=True)
class CompleteMessage:
    """The server's message that the capture of an attempt is complete."""

    attempt: int


class ScanStatus(StrEnum):
    """The status of an attempt that the app gets."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    COMPLETED = "COMPLETED"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResultMessage:
    """The outcome of an attempt, as far as the policy discloses it to the app.

    Attributes:
        feedback: Feedback codes, most important first.
        another_attempt: Whether another attempt follows if the device stays connected.
        attempts_remaining: Attempts that may still be made.
        ready_within: Seconds for which the server waits for ``attempt_ready``; ``None`` if the next attempt
            begins at once.
    """

    attempt: int
    status: ScanStatus
    feedback: tuple[str, ...]
    another_attempt: bool
    attempts_remaining: int
    ready_within: float | None = None


class GoodbyeReason(StrEnum):
    """The reason for which a stream ends without a result."""

    DRAINING = "DRAINING"
    SUPERSEDED = "SUPERSEDED"
    DEADLINE = "DEADLINE"
    CHECK_CLOSED = "CHECK_CLOSED"
    SERVER_FAULT = "SERVER_FAULT"


@dataclass(frozen=True, slots=True)
class GoodbyeMessage:
    """The server's last message on a stream that it ends.

    Attributes:
        reconnect_after: Seconds after which the device may reconnect; ``None`` if it must not.
    """

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


_FAILED, _GOOD = "FAILED", "GOOD"
_SLOW = (CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW, SERVER_BUSY)
"""The advice that discloses nothing of the judgement: the device knows its own frame rate and its credit."""


def final_status(verdict: CheckVerdict, disclosure: AppDisclosure) -> ScanStatus:
    """Return the status that the app gets for a decided check."""
    if disclosure is AppDisclosure.NOTHING:
        return ScanStatus.COMPLETED
    return ScanStatus.SUCCESS if verdict.status is CheckStatus.SUCCESS else ScanStatus.FAILURE


def feedback_for_app(
    *, advice: Sequence[str], shown: Sequence[str], status: ScanStatus, disclosure: AppDisclosure
) -> tuple[str, ...]:
    """Return the feedback codes that the app gets with a result.

    A person who may try again is always advised on what to change. A final failure adds to the codes that the
    device has already shown only that its camera was too slow, or, if that comes first, the network or the
    server, so that another person, a spoof and a manipulated device look alike.

    Args:
        shown: The codes that the device showed during the capture, in order.
    """
    if status is ScanStatus.RETRY:
        return tuple(advice)
    if status is ScanStatus.FAILURE and disclosure is AppDisclosure.PASS_FAIL_AND_HINTS:
        slow = tuple(code for code in advice if code in _SLOW and code in (CAPTURE_TOO_SLOW, advice[0]))
        earlier = (code for code in shown if code != _GOOD and code not in _SLOW)
        return (_FAILED, *slow, *earlier)[:MOST_FEEDBACK]
    return ()
