"""An outcome for tests."""

from datetime import UTC, date, datetime
from uuid import UUID

from device_integrity.device_test import Assurance, Manipulation, passed_test
from device_integrity.policy import Sign
from device_integrity.policy.signs import InjectionInstrument, InjectionMethod
from liveness.policy import LivenessPolicy
from liveness.verdict import AttackType, LivenessResult, Signal, Verdict, VerdictReason
from matcher.comparison import MatchResult
from server.domain.terms import AttemptOutcome, EndedBy, ImagePurpose, Mode, Plan, PortraitKept
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.outcome import (
    AttemptOutline,
    CalibrationIdentity,
    CheckOutcome,
    DeviceOutcome,
    EvidenceMark,
    PackIdentity,
    TranscriptOutcome,
)
from server.verdict.record import AttemptFrames, EvidenceRecord, ImageFacts, PortraitFacts, RecordTimes

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
LATER = datetime(2026, 5, 4, 12, 33, tzinfo=UTC)
ATTEMPT = AttemptOutline(
    attempt=1,
    mode=Mode.EXPRESS,
    plan=Plan.MOVEMENT,
    outcome=AttemptOutcome.DECIDED,
    ended_by=EndedBy.CONNECTION_LOST,
    verdict=Verdict.SPOOF,
    frames=30,
    feedback=("TOO_DARK",),
    start_time=NOW,
    end_time=LATER,
)
OUTCOME = CheckOutcome(
    check_id=UUID(int=7, version=4),
    subject_reference="subject",
    consent_reference="consent",
    verdict=CheckVerdict(CheckStatus.FAILURE, (FailureReason.CONDITIONS, FailureReason.SPOOF)),
    liveness=LivenessResult(
        verdict=Verdict.SPOOF,
        score=12.5,
        policy=LivenessPolicy(),
        attack=AttackType.INJECTION,
        signals=(
            Signal("blink", "Blink", 0.25, 0.5, False, "none"),
            Signal("pad_network", "PAD network", None, 0.0, None, "x" * 900),
        ),
        reasons=(VerdictReason.MOVES_AS_A_PLANE,),
    ),
    match=MatchResult(
        same_person=True,
        similarity=80.0,
        fmr_bound=1e-3,
        threshold_similarity=70.0,
        cosine=0.9,
        provenance="measured",
    ),
    match_frames=8,
    required_similarity=70.0,
    required_fmr=1e-2,
    requested_mode=Mode.EXPRESS,
    used_mode=Mode.EXPRESS,
    verified_bits=0.0,
    required_bits=0.0,
    challenge_steps=(),
    device=DeviceOutcome(
        assurance=Assurance.NONE,
        required=Assurance.LOW,
        checks=(passed_test("server_key.tls", "SAME_KEY", "words"),),
        sdk_version="facegate-web 1.2",
        sdk_supported_until=date(2027, 3, 31),
    ),
    transcript=TranscriptOutcome(
        intact=True, frames=30, examined=21, dropped=2, streams=1, final_mac_sha256=bytes(32)
    ),
    attempts=(ATTEMPT,),
    evidence_frame=EvidenceMark(b"e" * 32, 1, 17),
    audit_images=(EvidenceMark(b"a" * 32, 1, 3),),
    policy_name="standard",
    policy_version=1,
    policy_sha256=b"p" * 32,
    policy_oid="1.3.6.1.4.1.32473.1",
    doubts=(VerdictReason.NOT_SURE,),
    pack=PackIdentity(
        name="embedded",
        version="v",
        evaluation_only=True,
        sha256=b"k" * 32,
        calibration=CalibrationIdentity(
            provenance="measured_by_operator", sha256=b"c" * 32, lowest_bound=1e-5
        ),
    ),
    create_time=NOW,
    decide_time=LATER,
    server_version="0.1.0",
    sandbox=True,
)
RECORD = EvidenceRecord(
    tenant="default",
    subject_reference="subject",
    consent_reference="consent",
    requested_mode=Mode.EXPRESS,
    outcome=OUTCOME,
    result=b"the serialised result",
    result_jws="header.payload.signature",
    images=(
        ImageFacts(
            purpose=ImagePurpose.EVIDENCE_FRAME,
            sha256=b"e" * 32,
            attempt=1,
            frame_index=17,
            rotation=90,
            mirrored=True,
            media_type="image/jpeg",
        ),
    ),
    frames=(AttemptFrames(attempt=1, sha256=(b"1" * 32, b"2" * 32, b"3" * 32), complete=True),),
    portrait=PortraitFacts(kept=PortraitKept.HASH, sha256=b"p" * 32),
    times=RecordTimes(
        source="system clock of host",
        create=NOW,
        decide=LATER,
        result_deadline=LATER,
        retain_until=LATER,
    ),
)


def camera_sign(strength: float) -> Sign:
    """A sign of a virtual camera, suspected from the strength 0.5."""
    return Sign(
        of=Manipulation.VIRTUAL_CAMERA,
        strength=strength,
        method=InjectionMethod.VIRTUAL_CAMERA,
        instrument=InjectionInstrument.UNKNOWN,
        checks=("camera.name",),
    )
