"""The data of a decision, from which the result of a check is built."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from attempt import ChallengeStepOutcome
from device_integrity import Assurance, DeviceTest
from device_integrity.policy import Sign
from liveness import LivenessResult, Signal, Verdict, VerdictReason
from matcher import MatchResult
from server.domain.terms import AttemptOutcome, EndedBy, FailureReason, Mode, Plan, RequestedOutcome
from server.domain.tries import EarlierAttacks
from server.verdict.judge import CheckVerdict, judge_ending


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOutcome:
    """The facts that are known of the device.

    Attributes:
        assurance: The level that was reached.
        required: The level that the policy demands.
        checks: The device tests, in a fixed order.
        signs: Signs of manipulation, the strongest first.
        demands_met: Whether all platform evidence that the policy demands is present and holds.
        injected: Whether the demanded evidence proves that no camera took the frames.
        decided: Names of the failed decisive tests; each of them fails the check by itself.
        tolerated: Names of the decisive tests that the policy or the sandbox tolerates, failed or not.
        sdk_version: Name and version of the SDK, as the device stated them; may be empty.
        sdk_supported_until: The last day on which the policy supports that version, in UTC; ``None`` without
            an end.
        earlier: Earlier attacks by the device or with the same subject; reported only, never decisive.
    """

    assurance: Assurance
    required: Assurance
    checks: tuple[DeviceTest, ...]
    signs: tuple[Sign, ...] = ()
    demands_met: bool = True
    injected: bool = False
    decided: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    sdk_version: str = ""
    sdk_supported_until: date | None = None
    earlier: EarlierAttacks = field(default_factory=EarlierAttacks)

    @property
    def injection(self) -> Sign | None:
        """The strongest decided sign that the stream was replaced; ``None`` if there is none."""
        return next((sign for sign in self.signs if sign.injects and sign.decided), None)

    @property
    def final(self) -> bool:
        """Whether the device alone fails the check, so that no other attempt or stream can change that."""
        return self.injected or bool(self.decided)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptOutcome:
    """The facts that are known of the transcript.

    Attributes:
        intact: Whether the MACs, the order, the count and the signature of the end hold; False if no end was
            signed.
        frames: Frames received in the deciding attempt.
        examined: The number of these frames whose image was decoded.
        dropped: Images that the device dropped before they got an index.
        streams: Streams that the scan used.
        final_mac_sha256: SHA-256 of the last MAC, 32 bytes; empty if no attempt ended.
        signed: Whether the device signed an end. Without a signature nothing is broken and nothing is proved.
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
    """A summary of one attempt; see ``facegate.v1.AttemptSummary``.

    In a result every attempt has ended; the progress of a check has none of the findings.

    Attributes:
        outcome: How it ended; ``None`` while it runs.
        ended_by: Why it ended; ``None`` while it runs, and in progress if no process could record the end.
    """

    attempt: int
    mode: Mode
    plan: Plan
    outcome: AttemptOutcome | None
    ended_by: EndedBy | None
    verdict: Verdict | None
    frames: int
    feedback: tuple[str, ...]
    start_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class EvidenceMark:
    """A reference to a stored image: SHA-256 of its bytes (32 bytes), its attempt and its frame index."""

    sha256: bytes
    attempt: int
    frame_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedCheck:
    """The enrolled check whose evidence frame was the trusted image, as a result states it.

    Attributes:
        policy_sha256: SHA-256 of its policy file, 32 bytes.
        evidence_frame_sha256: SHA-256 of the frame, 32 bytes.
        trusted_image_sha256: SHA-256 of the image that it was made from, 32 bytes; empty if that is not kept.
        result_sha256: SHA-256 of its serialised result, 32 bytes.
    """

    check_id: UUID
    decide_time: datetime
    policy_name: str
    policy_version: int
    policy_sha256: bytes
    policy_oid: str
    evidence_frame_sha256: bytes
    trusted_image_sha256: bytes
    result_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationIdentity:
    """The calibration that gave similarities their meaning, as a result states it.

    Attributes:
        provenance: ``measured``, ``assumed``, ``measured_by_operator`` or ``published``.
        sha256: SHA-256 of the calibration file, 32 bytes.
        lowest_bound: The lowest bound on the false match rate that its data support, in (0, 1].
    """

    provenance: str
    sha256: bytes
    lowest_bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PackIdentity:
    """The model pack that judged, as a result states it.

    Attributes:
        sha256: SHA-256 over the hashes of its files.
        evaluation_only: Whether its results must not decide about people.
        missing_pad_networks: PAD networks that it should have and lacks.
    """

    name: str
    version: str
    sha256: bytes
    evaluation_only: bool
    calibration: CalibrationIdentity
    missing_pad_networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """The whole decision on a check. The edge serialises it and the result key signs those bytes.

    Attributes:
        subject_reference: As the orchestrator gave it.
        consent_reference: As the orchestrator gave it.
        verdict: Status and reasons.
        liveness: The liveness of the deciding attempt; ``None`` if no attempt was judged.
        match: The comparison with the portrait; ``None`` if no usable face was captured.
        match_frames: The number of frames whose embeddings were fused.
        required_similarity: The similarity that the policy demands, 0 to 100.
        required_fmr: The highest false match rate that the policy allows.
        used_mode: The mode that was used; ``None`` if no attempt was judged.
        verified_bits: Challenge bits that were verified.
        required_bits: Challenge bits that the policy demands; 0 if no challenge was requested.
        challenge_steps: Steps of the deciding attempt's flash; empty without a flash.
        transcript: The transcript; ``None`` if no attempt ended.
        evidence_frame: The evidence frame; ``None`` if no face was captured.
        audit_images: At most 4 audit images.
        policy_sha256: SHA-256 of the policy file's bytes.
        policy_oid: Object identifier of the frozen policy; empty without one.
        pack: The model pack that judged.
        doubts: What attempts before the deciding one left in doubt, and it did not find itself.
        requested_outcome: Whether a sandbox caller requested the verdict; see ``as_requested``.
        trusted_check: The check whose evidence frame was the trusted image; ``None`` if one was uploaded.
        enrolled_until: Until when its evidence frame may be a trusted image; ``None`` if it may not.
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
    policy_oid: str = ""
    doubts: tuple[VerdictReason, ...] = ()
    requested_outcome: bool = False
    trusted_check: TrustedCheck | None = None
    enrolled_until: datetime | None = None

    @property
    def history(self) -> tuple[Signal, ...]:
        """Signals about earlier attacks; they have no weight and only inform."""
        earlier = self.device.earlier
        return tuple(
            Signal(
                name=f"history_{of}_spoofs",
                label=f"Earlier attacks {how}",
                score=1 / (1 + count),
                weight=0.0,
                passed=count == 0,
                detail=f"{count} earlier checks {how} failed by an attack, as far as they are kept.",
            )
            for of, how, count in (
                ("subject", "of this subject", earlier.subject),
                ("device", "by this device", earlier.device),
            )
            if count is not None
        )

    def as_requested(self, requested: RequestedOutcome) -> "CheckOutcome":
        """Return this outcome of a sandbox check with the requested verdict, and without what was judged.

        A check that was cancelled stays so.
        """
        if not self.sandbox:
            raise ValueError("an outcome is requested for a check that is not a sandbox check")
        if FailureReason.CANCELLED in self.verdict.reasons:
            return self
        return replace(
            self,
            verdict=CheckVerdict(requested.status, () if requested.reason is None else (requested.reason,)),
            liveness=None,
            match=None,
            match_frames=0,
            used_mode=None,
            verified_bits=0.0,
            challenge_steps=(),
            attempts=tuple(replace(attempt, verdict=None) for attempt in self.attempts),
            doubts=(),
            requested_outcome=True,
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
        """Return this outcome, adapted to a check that ended after this undecided attempt.

        Args:
            device: The facts of the device over all streams; they decide the check if they are final.
            attempts: Every attempt, in order.
            streams: Streams that the scan used.
            decide_time: When the decision was reached.
        """
        verdict = judge_ending(self.verdict, reason=by, manipulated=device.final)
        transcript = self.transcript
        if transcript is not None:
            # The transcript was broken after the attempt that this outcome describes.
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


class OutcomeUnreadable(Exception):
    """The bytes are not an outcome that this version of the server writes."""


class _Stored(BaseModel):
    model_config = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants", frozen=True
    )

    outcome: CheckOutcome


def outcome_to_bytes(outcome: CheckOutcome) -> bytes:
    """Return the outcome as JSON in UTF-8."""
    return _Stored(outcome=outcome).model_dump_json().encode()


def outcome_from_bytes(data: bytes) -> CheckOutcome:
    """Parse the bytes that ``outcome_to_bytes`` returns.

    Raises:
        OutcomeUnreadable: Another version of the server wrote the bytes, or they were altered.
    """
    try:
        return _Stored.model_validate_json(data).outcome
    except ValidationError as error:
        raise OutcomeUnreadable(f"{error.error_count()} parts of a stored outcome cannot be read") from None


class _StoredTrustedCheck(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", frozen=True)

    trusted_check: TrustedCheck


def trusted_check_to_bytes(trusted_check: TrustedCheck) -> bytes:
    """Return the trusted check as JSON in UTF-8."""
    return _StoredTrustedCheck(trusted_check=trusted_check).model_dump_json().encode()


def trusted_check_from_bytes(data: bytes) -> TrustedCheck:
    """Parse the bytes that ``trusted_check_to_bytes`` returns.

    Raises:
        OutcomeUnreadable: They were altered.
    """
    try:
        return _StoredTrustedCheck.model_validate_json(data).trusted_check
    except ValidationError as error:
        raise OutcomeUnreadable(f"{error.error_count()} parts of a trusted check cannot be read") from None
