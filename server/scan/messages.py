"""The messages of a scan as the server's inside knows them; the edge converts them to the wire and back.

What is signed or MACed keeps its bytes as received beside its parsed fields.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from device_integrity.camera import CameraClaim, DeviceClaim
from device_integrity.runtime import RuntimeReport
from liveness.dynamic.challenge import ColourStep
from liveness.guidance import Oval
from server.checks.terms import Mode, Plan
from server.device.evidence import DeviceEvidence


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
class ExposureClaim:
    """What a device says its camera did; see ``facegate.v1.ExposureMetadata``. 0 means unknown."""

    exposure_time_ns: int
    iso: int
    white_balance_kelvin: int
    rolling_shutter_skew_ns: int
    exposure_locked: bool
    white_balance_locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMessage:
    """One frame; see ``facegate.v1.Frame`` and ``FrameHeader``.

    Attributes:
        header: The FrameHeader bytes as received.
        image: The encoded image.
        mac: The chained MAC.
        attempt: Attempt that the frame claims.
        index: Index in the attempt.
        capture_time_us: Device clock, microseconds.
        rotation_degrees: Clockwise rotation that makes the image upright: 0, 90, 180 or 270.
        mirrored: Whether the image is mirrored.
        dropped_before: Images dropped since the frame before.
        width: Declared width of the encoded image.
        height: Declared height of the encoded image.
        flash_step: The step that the device says was on display; 0 for none.
        flash_step_since_us: When the device says it appeared, microseconds of the same clock; 0 for none.
        exposure: What the device says the camera did; ``None`` where it says nothing.
    """

    header: bytes
    image: bytes
    mac: bytes
    attempt: int
    index: int
    capture_time_us: int
    rotation_degrees: int
    mirrored: bool
    dropped_before: int
    width: int
    height: int
    flash_step: int = 0
    flash_step_since_us: int = 0
    exposure: ExposureClaim | None = None


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
class FeedbackMessage:
    """A hint: code name, progress 0..1, frame index."""

    code: str
    progress: float
    frame_index: int


@dataclass(frozen=True, slots=True)
class FlashStepMessage:
    """The next colour to show."""

    step: ColourStep


@dataclass(frozen=True, slots=True, kw_only=True)
class OvalChangeMessage:
    """The oval moves or grows.

    Attributes:
        oval: The oval to draw from now on.
        transition_seconds: How long it takes to reach its place.
        change: Number of the change in the attempt, from 1.
    """

    oval: Oval
    transition_seconds: float
    change: int


@dataclass(frozen=True, slots=True)
class PauseMessage:
    """The capture is interrupted, with a feedback code that says why, or goes on."""

    paused: bool
    reason: str


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
    | FeedbackMessage
    | FlashStepMessage
    | OvalChangeMessage
    | PauseMessage
    | AdjustmentMessage
    | CompleteMessage
    | ScanResultMessage
    | GoodbyeMessage
)
