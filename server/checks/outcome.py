"""Everything that a check's verdict was made of, as the server knows it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from device_integrity.assurance import Assurance
from device_integrity.check import DeviceCheck
from device_integrity.policy import Sign
from liveness.dynamic.challenge import ColourStep
from liveness.verdict import LivenessResult, Verdict
from matcher.comparison import MatchResult
from server.checks.terms import AttemptOutcome, EndedBy, Mode, Plan
from server.checks.tries import EarlierAttacks
from server.verdict import CheckVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOutcome:
    """What is known of the device.

    Attributes:
        assurance: The level that was reached.
        required: The level that the policy demands.
        checks: Each check, in a fixed order.
        signs: Signs of manipulation, the strongest first.
        demands_met: Whether everything that the policy demands of the platform is there and holds.
        injected: Whether what the policy demands shows for certain that no camera made the frames.
        decided: Names of the checks that decide: each of them fails the check by itself.
        tolerated: Names of the decisive checks that must not decide, whether they failed or not.
        earlier: Earlier attacks by the device or with the same subject; they inform and decide nothing.
    """

    assurance: Assurance
    required: Assurance
    checks: tuple[DeviceCheck, ...]
    signs: tuple[Sign, ...] = ()
    demands_met: bool = True
    injected: bool = False
    decided: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    earlier: EarlierAttacks = field(default_factory=EarlierAttacks)

    @property
    def final(self) -> bool:
        """Whether it fails the check whatever else comes: no other attempt and no other stream undoes it."""
        return self.injected or bool(self.decided)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptOutcome:
    """What is known of the transcript.

    Attributes:
        intact: Whether MACs, order, count and the end's signature hold; False where no end was signed.
        frames: Frames accepted in the deciding attempt.
        examined: Of these, those whose image was decoded.
        dropped: Images that the device dropped before they got an index.
        streams: Streams that the scan used.
        final_mac_sha256: SHA-256 of the last MAC, 32 bytes; empty where no attempt ended.
        signed: Whether the device signed an end. Without one nothing is broken, and nothing is proved.
    """

    intact: bool
    frames: int
    examined: int
    dropped: int
    streams: int
    final_mac_sha256: bytes
    signed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeStepOutcome:
    """One step of a screen flash, as it was drawn and as it was measured.

    Attributes:
        step: As it was drawn.
        signal_to_noise: Of the face's response; ``None`` where it could not be measured.
        agrees: Whether the response is the one to this step; ``None`` where it could not be measured.
    """

    step: ColourStep
    signal_to_noise: float | None
    agrees: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutline:
    """One attempt in short; see ``facegate.v1.AttemptSummary``."""

    attempt: int
    mode: Mode
    plan: Plan
    outcome: AttemptOutcome
    ended_by: EndedBy
    verdict: Verdict | None
    frames: int
    feedback: tuple[str, ...]
    start_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class EvidenceMark:
    """Names a stored picture: SHA-256 of its bytes (32 bytes), its attempt and its frame index."""

    sha256: bytes
    attempt: int
    frame_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationIdentity:
    """What a result says about the calibration that gave similarities their meaning.

    Attributes:
        provenance: ``measured``, ``assumed``, ``measured_by_operator`` or ``published``.
        sha256: Of the calibration file, 32 bytes.
        lowest_bound: The lowest bound on FMR that its data support, in (0, 1].
    """

    provenance: str
    sha256: bytes
    lowest_bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """The whole verdict; the edge serialises it and the result key signs those bytes.

    Attributes:
        check_id: The check.
        subject_reference: As the orchestrator gave it.
        consent_reference: As the orchestrator gave it.
        verdict: Status and reasons.
        liveness: ``None`` where no attempt was judged.
        match: ``None`` where no usable face was captured.
        match_frames: Frames whose embeddings were fused.
        required_similarity: Similarity that the policy demands, 0..100.
        required_fmr: The policy's largest FMR.
        requested_mode: What was asked for.
        used_mode: What was used; ``None`` where no attempt was judged.
        verified_bits: Challenge bits that were verified.
        required_bits: Challenge bits that the policy demands; 0 where no challenge was asked for.
        challenge_steps: Steps of the deciding attempt's flash; empty without one.
        device: The device.
        transcript: ``None`` where no attempt ended.
        attempts: In order.
        evidence_frame: ``None`` where no face was captured.
        audit_images: At most 4.
        policy_name: Of the frozen policy.
        policy_version: Of the frozen policy.
        policy_sha256: Of the policy file's bytes.
        pack_name: The pack that judged.
        pack_version: Its version.
        pack_evaluation_only: Whether its results must not decide about people.
        pack_sha256: Over the hashes of its files.
        calibration: Of its embedder.
        create_time: When the check was created.
        decide_time: When the verdict was reached.
        server_version: Version of the server that decided.
        sandbox: Whether a sandbox caller made the check.
    """

    check_id: UUID
    subject_reference: str
    consent_reference: str
    verdict: CheckVerdict
    liveness: LivenessResult | None
    match: MatchResult | None
    match_frames: int
    required_similarity: float
    required_fmr: float
    requested_mode: Mode
    used_mode: Mode | None
    verified_bits: float
    required_bits: float
    challenge_steps: tuple[ChallengeStepOutcome, ...]
    device: DeviceOutcome
    transcript: TranscriptOutcome | None
    attempts: tuple[AttemptOutline, ...]
    evidence_frame: EvidenceMark | None
    audit_images: tuple[EvidenceMark, ...]
    policy_name: str
    policy_version: int
    policy_sha256: bytes
    pack_name: str
    pack_version: str
    pack_evaluation_only: bool
    pack_sha256: bytes
    calibration: CalibrationIdentity
    create_time: datetime
    decide_time: datetime
    server_version: str
    sandbox: bool
