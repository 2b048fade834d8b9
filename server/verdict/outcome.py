"""Everything that a check's verdict was made of, as the server knows it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from attempt.judgement import ChallengeStepOutcome
from device_integrity.assurance import Assurance
from device_integrity.check import DeviceCheck
from device_integrity.policy import Sign
from liveness.signal import Signal
from liveness.verdict import LivenessResult, Verdict
from matcher.comparison import MatchResult
from server.domain.reasons import FailureReason
from server.domain.terms import AttemptOutcome, EndedBy, Mode, Plan
from server.domain.tries import EarlierAttacks
from server.verdict.judge import CheckVerdict, judge_ending


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
    def injection(self) -> Sign | None:
        """The strongest sign of a replaced stream that stands by itself."""
        return next((sign for sign in self.signs if sign.injects and sign.decided), None)

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
class PackIdentity:
    """What a result says about the pack that judged.

    Attributes:
        name: Its name.
        version: Its version.
        sha256: Over the hashes of its files.
        evaluation_only: Whether its results must not decide about people.
        calibration: Of its embedder.
    """

    name: str
    version: str
    sha256: bytes
    evaluation_only: bool
    calibration: CalibrationIdentity


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
        pack: The pack that judged.
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
    pack: PackIdentity
    create_time: datetime
    decide_time: datetime
    server_version: str
    sandbox: bool

    @property
    def history(self) -> tuple[Signal, ...]:
        """What earlier attacks say; of information only."""
        earlier = self.device.earlier
        return tuple(
            Signal(
                name=f"history_{of}_spoofs",
                label=f"Earlier attacks {how}",
                score=1 / (1 + count),
                weight=0.0,
                passed=count == 0,
                detail=f"{count} earlier checks {how} failed by an attack, as far as they are remembered.",
            )
            for of, how, count in (
                ("subject", "of this subject", earlier.subject),
                ("device", "by this device", earlier.device),
            )
            if count is not None
        )

    def ended(
        self,
        *,
        by: FailureReason,
        device: DeviceOutcome,
        attempts: tuple[AttemptOutline, ...],
        streams: int,
        decide_time: datetime,
    ) -> "CheckOutcome":
        """The outcome of a check that ended after the attempt of this one, which did not decide it.

        Args:
            by: How it ended.
            device: What all streams show of the device, which decides where it is final.
            attempts: Every attempt, in order.
            streams: Streams that the scan used.
            decide_time: When the verdict was reached.
        """
        verdict = judge_ending(self.verdict, ended_by=by, manipulated=device.final)
        transcript = self.transcript
        if transcript is not None:
            # What broke it came after the attempt that the outcome is about.
            broken = FailureReason.TRANSCRIPT_BROKEN in verdict.reasons
            transcript = replace(transcript, intact=transcript.intact and not broken, streams=streams)
        return replace(
            self,
            verdict=verdict,
            device=device if device.final else self.device,
            transcript=transcript,
            attempts=attempts,
            decide_time=decide_time,
        )
