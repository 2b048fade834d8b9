"""Converts what a check amounts to: its result, its progress, and the report on its portrait.

The result (``facegate.v1.CheckResult``) and the report are stored as bytes; the result is also signed.
"""

import uuid
from typing import Any, Final

from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from attempt import ChallengeStepOutcome
from device_integrity.policy import Sign
from facegate_protocol.texts import VERDICTS
from liveness import LivenessResult, Signal, Verdict
from matcher import MatchResult, PortraitReport, Requirement, Severity
from matcher.conformance import Method
from server.base.errors import Reason, Refusal
from server.base.sandbox import memory_scope
from server.checks.completion import HandedOut
from server.checks.finding import FoundCheck
from server.checks.progress import CheckProgress
from server.edge.scan_codec import (
    feedback_code,
    mode_to_wire,
    plan_to_wire,
    timestamp,
    transition_to_wire,
)
from server.evidence.store import HeldImage
from server.storage.records import ImagePurpose
from server.verdict import FailureReason
from server.verdict.outcome import (
    AttemptOutline,
    CalibrationIdentity,
    CheckOutcome,
    DeviceOutcome,
    EvidenceMark,
    PackIdentity,
    TranscriptOutcome,
    TrustedCheck,
)
from server.verdict.record import ImageFacts

_LONGEST_DETAIL = 500
_ROTATIONS = {
    0: scan_pb2.ROTATION_UNSPECIFIED,
    90: scan_pb2.ROTATION_90,
    180: scan_pb2.ROTATION_180,
    270: scan_pb2.ROTATION_270,
}


UNATTESTED: Final = (
    "The device is not attested: only the frames and its own claims indicate that its camera took the frames."
)
"""The explanation that follows those of LIVE if no attestation vouches for the device."""
_EARLIER_DOUBT: Final = "An earlier attempt left this doubt, which no challenge resolved: {}"
_MOST_EXPLANATIONS: Final = 16
_SEVERITIES = {
    Severity.HARD: service_pb2.PortraitRequirement.SEVERITY_HARD,
    Severity.ADVISORY: service_pb2.PortraitRequirement.SEVERITY_ADVISORY,
}
_METHODS = {
    None: service_pb2.PortraitRequirement.METHOD_UNSPECIFIED,
    Method.STANDARD: service_pb2.PortraitRequirement.METHOD_STANDARD,
    Method.APPROXIMATION: service_pb2.PortraitRequirement.METHOD_APPROXIMATION,
}


def check_id_of(text: str, *, field: str = "check_id") -> uuid.UUID:
    """Parses the identifier of a check.

    Raises:
        Refusal: It is not a UUID (INVALID_FIELD).
    """
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Refusal(Reason.INVALID_FIELD, f"{field} is not a UUID", details={"field": field}) from error


def serialise_result(outcome: CheckOutcome) -> bytes:
    """Serialises the outcome as a CheckResult; the same outcome gives the same bytes."""
    return _result(outcome).SerializeToString(deterministic=True)


def parse_result(result: bytes) -> result_pb2.CheckResult:
    """Parses stored result bytes as the message."""
    message = result_pb2.CheckResult()
    message.ParseFromString(result)
    return message


def result_claims(result: result_pb2.CheckResult, *, tenant: str) -> dict[str, Any]:
    """Returns the claims of a result's JWT, without the issuer; the same result has the same claims.

    The audience of a sandbox result is another one, so that a library that compares the audience refuses it.
    """
    claims: dict[str, Any] = {
        "aud": memory_scope(tenant, sandbox=result.sandbox),
        "iat": result.decide_time.seconds,
        "jti": result.check_id,
        "check_id": result.check_id,
        "status": _word(result_pb2.CheckStatus, result.status),
        "reasons": [_word(result_pb2.FailureReason, reason) for reason in result.reasons],
        "policy": {
            "name": result.policy.name,
            "version": result.policy.version,
            "sha256": result.policy.sha256.hex(),
        },
        "assurance": {"device": _word(result_pb2.DeviceAssurance, result.device.assurance)},
        "sandbox": result.sandbox,
    }
    if result.subject_reference:
        claims["sub"] = result.subject_reference
    if result.policy.oid:
        claims["policy"]["oid"] = result.policy.oid
    if result.liveness.used_mode:
        claims["assurance"]["mode"] = _word(scan_pb2.Mode, result.liveness.used_mode)
    if result.HasField("match"):
        claims["assurance"]["required_fmr"] = result.match.required_fmr
    if result.HasField("evidence_frame"):
        claims["evidence_frame_sha256"] = result.evidence_frame.sha256.hex()
    if result.requested_outcome:
        claims["requested_outcome"] = True
    if result.HasField("trusted_check"):
        claims["trusted_check_id"] = result.trusted_check.check_id
    return claims


def _word(kind: Any, value: int) -> str:
    """Returns the name of a value without the prefix of its enumeration."""
    prefix: str = kind.Name(0).removesuffix("UNSPECIFIED")
    name: str = kind.Name(value)
    return name.removeprefix(prefix)


def rotation_to_wire(degrees: int) -> "scan_pb2.Rotation.ValueType":
    """Returns a clockwise rotation of 0, 90, 180 or 270 degrees."""
    return _ROTATIONS[degrees]


def liveness_to_wire(liveness: LivenessResult) -> result_pb2.LivenessResult:
    """Returns the liveness result as a message, without the fields that depend on the mode of a check."""
    return result_pb2.LivenessResult(
        verdict=result_pb2.LivenessVerdict.Value(f"LIVENESS_VERDICT_{liveness.verdict}"),
        confidence=liveness.confidence,
        attack_type=result_pb2.AttackType.Value(f"ATTACK_TYPE_{liveness.attack_type}"),
        attack_type_confidence=liveness.attack_type_confidence,
        signals=[_signal(signal) for signal in liveness.signals],
        explanations=[VERDICTS[reason] for reason in liveness.reasons],
    )


def pack_to_wire(pack: PackIdentity) -> result_pb2.PackReference:
    """Returns the reference to a model pack."""
    return result_pb2.PackReference(
        name=pack.name,
        version=pack.version,
        evaluation_only=pack.evaluation_only,
        sha256=pack.sha256,
        calibration=_calibration(pack.calibration),
        missing_pad_networks=pack.missing_pad_networks,
    )


def add_images(response: service_pb2.FinishCheckResponse, handed_out: HandedOut) -> None:
    """Adds the evidence images, the problems and the shortfall to a response."""
    for held in handed_out.images:
        if held.content is None:
            response.evidence_problems.append(_problem(held))
        elif held.facts.purpose == ImagePurpose.EVIDENCE_FRAME:
            response.evidence_frame.CopyFrom(_image(held.facts, held.content))
        else:
            response.audit_images.append(_image(held.facts, held.content))
    if handed_out.shortfall is not None:
        name = f"AUDIT_IMAGE_SHORTFALL_{handed_out.shortfall}"
        response.audit_image_shortfall = service_pb2.AuditImageShortfall.Value(name)


def _problem(held: HeldImage) -> service_pb2.EvidenceProblem:
    return service_pb2.EvidenceProblem(
        picture=_mark(held.facts.mark),
        kind=service_pb2.EvidenceProblem.Kind.Value(f"KIND_{held.problem}"),
    )


def _image(facts: ImageFacts, content: bytes) -> result_pb2.EvidenceImage:
    """Returns an evidence image with its bytes."""
    return result_pb2.EvidenceImage(
        image=content,
        media_type=facts.media_type,
        sha256=facts.sha256,
        frame_index=facts.frame_index,
        rotation=_ROTATIONS[facts.rotation],
        mirrored=facts.mirrored,
    )


def _result(outcome: CheckOutcome) -> result_pb2.CheckResult:
    message = result_pb2.CheckResult(
        check_id=str(outcome.check_id),
        subject_reference=outcome.subject_reference,
        consent_reference=outcome.consent_reference,
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{outcome.verdict.status}"),
        reasons=[_reason(reason) for reason in outcome.verdict.reasons],
        device=_device(outcome.device),
        attempts=[_attempt(one, about_person=outcome.verdict.about_person) for one in outcome.attempts],
        audit_images=[_mark(mark) for mark in outcome.audit_images],
        policy=result_pb2.PolicyReference(
            name=outcome.policy_name,
            version=outcome.policy_version,
            sha256=outcome.policy_sha256,
            oid=outcome.policy_oid,
        ),
        pack=pack_to_wire(outcome.pack),
        create_time=timestamp(outcome.create_time),
        decide_time=timestamp(outcome.decide_time),
        server_version=outcome.server_version,
        history=[_signal(signal) for signal in outcome.history],
        sandbox=outcome.sandbox,
        requested_outcome=outcome.requested_outcome,
    )
    if outcome.verdict.about_person:
        if outcome.liveness is not None:
            message.liveness.CopyFrom(_liveness(outcome, outcome.liveness))
        message.match.CopyFrom(_match(outcome, outcome.match))
    if outcome.transcript is not None:
        message.transcript.CopyFrom(_transcript(outcome.transcript))
    if outcome.evidence_frame is not None:
        message.evidence_frame.CopyFrom(_mark(outcome.evidence_frame))
    if outcome.trusted_check is not None:
        message.trusted_check.CopyFrom(_trusted_check(outcome.trusted_check))
    if outcome.enrolled_until is not None:
        message.enrolled_until.CopyFrom(timestamp(outcome.enrolled_until))
    return message


def _trusted_check(source: TrustedCheck) -> result_pb2.TrustedCheck:
    return result_pb2.TrustedCheck(
        check_id=str(source.check_id),
        decide_time=timestamp(source.decide_time),
        policy=result_pb2.PolicyReference(
            name=source.policy_name,
            version=source.policy_version,
            sha256=source.policy_sha256,
            oid=source.policy_oid,
        ),
        evidence_frame_sha256=source.evidence_frame_sha256,
        trusted_image_sha256=source.trusted_image_sha256,
        result_sha256=source.result_sha256,
    )


def _liveness(outcome: CheckOutcome, liveness: LivenessResult) -> result_pb2.LivenessResult:
    message = liveness_to_wire(liveness)
    if liveness.verdict is Verdict.LIVE and not outcome.device.assurance.attested:
        message.explanations.append(UNATTESTED)
    if liveness.verdict is not Verdict.LIVE:
        message.explanations.extend(_EARLIER_DOUBT.format(VERDICTS[doubt]) for doubt in outcome.doubts)
        del message.explanations[_MOST_EXPLANATIONS:]
    message.requested_mode = mode_to_wire(outcome.requested_mode)
    message.verified_bits = outcome.verified_bits
    message.required_bits = outcome.required_bits
    message.challenge_steps.extend(_challenge_step(step) for step in outcome.challenge_steps)
    if outcome.used_mode is not None:
        message.used_mode = mode_to_wire(outcome.used_mode)
    return message


def _challenge_step(outcome: ChallengeStepOutcome) -> result_pb2.ChallengeStep:
    step = outcome.step
    return result_pb2.ChallengeStep(
        step=step.number,
        color=scan_pb2.Rgb(red=step.colour.red, green=step.colour.green, blue=step.colour.blue),
        transition=transition_to_wire(step.transition),
        drawn_bits=step.bits,
        signal_to_noise=outcome.signal_to_noise,
        agrees=outcome.agrees,
    )


def _signal(signal: Signal) -> result_pb2.Signal:
    return result_pb2.Signal(
        name=signal.name,
        label=signal.label,
        score=signal.score,
        weight=signal.weight,
        passed=signal.passed,
        detail=signal.detail[:500],
    )


def _match(outcome: CheckOutcome, match: MatchResult | None) -> result_pb2.MatchResult:
    message = result_pb2.MatchResult(
        required_similarity=outcome.required_similarity, required_fmr=outcome.required_fmr
    )
    if match is not None:
        message.same_person = match.same_person
        message.similarity = match.similarity
        message.fmr_bound = match.fmr_bound
        message.frames_used = outcome.match_frames
        message.score = match.cosine
        if match.scan_fmr_bound is not None:
            message.scan_fmr_bound = match.scan_fmr_bound
    return message


def _calibration(calibration: CalibrationIdentity) -> result_pb2.CalibrationReference:
    provenance = calibration.provenance.upper()
    return result_pb2.CalibrationReference(
        provenance=result_pb2.CalibrationReference.Provenance.Value(f"PROVENANCE_{provenance}"),
        sha256=calibration.sha256,
        lowest_fmr_bound=calibration.lowest_bound,
    )


def _device(device: DeviceOutcome) -> result_pb2.DeviceResult:
    injection = device.injection
    return result_pb2.DeviceResult(
        assurance=result_pb2.DeviceAssurance.Value(f"DEVICE_ASSURANCE_{device.assurance}"),
        required_assurance=result_pb2.DeviceAssurance.Value(f"DEVICE_ASSURANCE_{device.required}"),
        checks=[
            result_pb2.DeviceCheck(
                name=check.name,
                outcome=result_pb2.DeviceCheck.Outcome.Value(f"OUTCOME_{check.outcome}"),
                reason=check.reason,
                detail=check.detail,
                decisive=check.decisive,
                tolerated=check.tolerated,
            )
            for check in device.checks
        ],
        signals=[_device_signal(sign) for sign in device.signs],
        injection_method="" if injection is None else injection.method.value,
        injection_instrument="" if injection is None else injection.instrument.value,
        tolerated_checks=device.tolerated,
        sdk_version=device.sdk_version,
        sdk_supported_until=""
        if device.sdk_supported_until is None
        else device.sdk_supported_until.isoformat(),
    )


def _device_signal(sign: Sign) -> result_pb2.Signal:
    failed = ", ".join(sign.checks)
    return result_pb2.Signal(
        name=sign.of.value,
        label=sign.of.value.replace("_", " ").capitalize(),
        score=1 - sign.strength,
        weight=sign.strength,
        passed=not sign.suspected,
        detail=f"Failed: {failed}. Method {sign.method}, instrument {sign.instrument}."[:_LONGEST_DETAIL],
    )


def _transcript(transcript: TranscriptOutcome) -> result_pb2.TranscriptResult:
    return result_pb2.TranscriptResult(
        intact=transcript.intact,
        frames=transcript.frames,
        frames_examined=transcript.examined,
        dropped=transcript.dropped,
        streams=transcript.streams,
        final_mac_sha256=transcript.final_mac_sha256,
    )


def _attempt(attempt: AttemptOutline, *, about_person: bool = False) -> result_pb2.AttemptSummary:
    message = result_pb2.AttemptSummary(
        attempt=attempt.attempt,
        mode=mode_to_wire(attempt.mode),
        plan=plan_to_wire(attempt.plan),
        frames=attempt.frames,
        feedback=[feedback_code(code) for code in attempt.feedback],
        start_time=timestamp(attempt.start_time),
    )
    if attempt.outcome is not None:
        message.outcome = result_pb2.AttemptSummary.Outcome.Value(f"OUTCOME_{attempt.outcome}")
    if attempt.ended_by is not None:
        message.ended_by = result_pb2.AttemptSummary.EndedBy.Value(f"ENDED_BY_{attempt.ended_by}")
    if attempt.verdict is not None and about_person:
        message.verdict = result_pb2.LivenessVerdict.Value(f"LIVENESS_VERDICT_{attempt.verdict}")
    if attempt.end_time is not None:
        message.end_time.CopyFrom(timestamp(attempt.end_time))
    return message


def _mark(mark: EvidenceMark) -> result_pb2.EvidenceReference:
    return result_pb2.EvidenceReference(
        sha256=mark.sha256, attempt=mark.attempt, frame_index=mark.frame_index
    )


def _reason(reason: FailureReason) -> "result_pb2.FailureReason.ValueType":
    return result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason}")


def progress_to_wire(progress: CheckProgress) -> service_pb2.CheckProgress:
    """Returns the progress of a check as the message."""
    message = service_pb2.CheckProgress(
        check_id=str(progress.check_id),
        state=service_pb2.CheckProgress.State.Value(f"STATE_{progress.state}"),
        attempts=[_attempt(attempt) for attempt in progress.attempts],
        scan_expire_time=timestamp(progress.scan_deadline),
        result_expire_time=timestamp(progress.result_deadline),
        attempts_remaining=progress.attempts_remaining,
        sandbox=progress.sandbox,
    )
    if progress.resumable_until is not None:
        message.resumable_until.CopyFrom(timestamp(progress.resumable_until))
    return message


def found_to_wire(found: FoundCheck) -> service_pb2.CheckListing:
    """Returns a check that was found as the message."""
    message = service_pb2.CheckListing(
        check_id=str(found.check_id),
        state=service_pb2.CheckProgress.State.Value(f"STATE_{found.state}"),
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{found.status or 'UNSPECIFIED'}"),
        create_time=timestamp(found.create_time),
        subject_reference=found.subject_reference,
        policy=found.policy,
        sandbox=found.sandbox,
    )
    if found.decide_time is not None:
        message.decide_time.CopyFrom(timestamp(found.decide_time))
    return message


def serialise_report(report: PortraitReport) -> bytes:
    """Serialises the report to the bytes that are stored with the check."""
    return service_pb2.PortraitReport(
        media_type=report.media_type,
        width=report.width,
        height=report.height,
        eye_distance_px=report.eye_distance_px,
        requirements=[_requirement(requirement) for requirement in report.requirements],
        container=report.container,
        notes=report.notes,
    ).SerializeToString(deterministic=True)


def parse_report(data: bytes) -> service_pb2.PortraitReport:
    """Parses stored bytes as the message."""
    report = service_pb2.PortraitReport()
    report.ParseFromString(data)
    return report


def _requirement(requirement: Requirement) -> service_pb2.PortraitRequirement:
    return service_pb2.PortraitRequirement(
        code=requirement.code.value,
        clause=requirement.clause,
        measured=requirement.measured,
        required=requirement.required,
        passed=requirement.passed,
        severity=_SEVERITIES[requirement.severity],
        score=requirement.score,
        method=_METHODS[requirement.method if requirement.score is not None else None],
        unassessed_reason=requirement.unassessed,
    )
