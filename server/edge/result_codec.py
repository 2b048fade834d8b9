"""Converts what a check amounts to: its result, its progress, and the report on its portrait.

The result (``facegate.v1.CheckResult``) and the report are stored as bytes; the result is also signed.
"""

from typing import Any, Final

from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from attempt import ChallengeStepOutcome
from device_integrity.policy import Sign
from facegate_protocol.texts import VERDICTS
from liveness import LivenessResult, Signal, Verdict
from matcher import MatchResult, PortraitReport, Requirement
from server.base.sandbox import memory_scope
from server.checks.completion import FinishedCheck
from server.checks.progress import CheckProgress
from server.domain.terms import ImagePurpose
from server.edge.fields import message_of, name_of, number_of
from server.edge.scan_codec import rotation_to_wire
from server.evidence.store import EvidenceFault
from server.verdict.outcome import (
    AttemptOutline,
    CheckOutcome,
    DeviceOutcome,
    PackIdentity,
    TrustedCheck,
)
from server.verdict.record import ImageFacts

_LONGEST_DETAIL = 500


UNATTESTED: Final = (
    "The device is not attested: only the frames and its own claims indicate that its camera took the frames."
)
"""The explanation that follows those of LIVE if no attestation vouches for the device."""
_EARLIER_DOUBT: Final = "An earlier attempt left this doubt, which no challenge resolved: {}"
_MOST_EXPLANATIONS: Final = 16
_OF_A_CHECK: Final = ("requested_mode", "used_mode", "verified_bits", "required_bits", "challenge_steps")
"""The fields of a LivenessResult that an analysis leaves out."""
_NOT_ABOUT_PERSON: Final = frozenset(
    {"attempt", "mode", "plan", "outcome", "ended_by", "frames", "feedback", "start_time", "end_time"}
)
"""The fields of an AttemptSummary that say nothing of the person."""


def serialise_result(outcome: CheckOutcome) -> bytes:
    """Serialise the outcome as a CheckResult; the same outcome gives the same bytes."""
    return _result(outcome).SerializeToString(deterministic=True)


def parse_result(result: bytes) -> result_pb2.CheckResult:
    """Parse stored result bytes as the message."""
    message = result_pb2.CheckResult()
    message.ParseFromString(result)
    return message


def result_claims(result: result_pb2.CheckResult, *, tenant: str) -> dict[str, Any]:
    """Return the claims of a result's JWT, without the issuer; the same result has the same claims.

    The audience of a sandbox result is another one, so that a library that compares the audience refuses it.
    """
    claims: dict[str, Any] = {
        "aud": memory_scope(tenant, sandbox=result.sandbox),
        "iat": result.decide_time.seconds,
        "jti": result.check_id,
        "check_id": result.check_id,
        "status": name_of(result_pb2.CheckStatus, result.status),
        "reasons": [name_of(result_pb2.FailureReason, reason) for reason in result.reasons],
        "policy": {
            "name": result.policy.name,
            "version": result.policy.version,
            "sha256": result.policy.sha256.hex(),
        },
        "assurance": {"device": name_of(result_pb2.DeviceAssurance, result.device.assurance)},
        "sandbox": result.sandbox,
    }
    if result.subject_reference:
        claims["sub"] = result.subject_reference
    if result.policy.oid:
        claims["policy"]["oid"] = result.policy.oid
    if result.liveness.used_mode:
        claims["assurance"]["mode"] = name_of(scan_pb2.Mode, result.liveness.used_mode)
    if result.HasField("match"):
        claims["assurance"]["required_fmr"] = result.match.required_fmr
    if result.HasField("evidence_frame"):
        claims["evidence_frame_sha256"] = result.evidence_frame.sha256.hex()
    if result.requested_outcome:
        claims["requested_outcome"] = True
    if result.HasField("trusted_check"):
        claims["trusted_check_id"] = result.trusted_check.check_id
    return claims


def liveness_to_wire(liveness: LivenessResult, **of_check: Any) -> result_pb2.LivenessResult:
    """Return the liveness result as a message; ``of_check`` are the fields that only a check has."""
    own = dict.fromkeys(_OF_A_CHECK) | {"explanations": [VERDICTS[reason] for reason in liveness.reasons]}
    signals = [_signal(signal) for signal in liveness.signals]
    return message_of(result_pb2.LivenessResult, liveness, signals=signals, **(own | of_check))


def pack_to_wire(pack: PackIdentity) -> result_pb2.PackReference:
    """Return the reference to a model pack."""
    calibration = pack.calibration
    return message_of(
        result_pb2.PackReference,
        pack,
        calibration=message_of(
            result_pb2.CalibrationReference,
            calibration,
            provenance=calibration.provenance.upper(),
            lowest_fmr_bound=calibration.lowest_bound,
        ),
    )


def add_images(response: service_pb2.FinishCheckResponse, finished: FinishedCheck) -> None:
    """Add the evidence images, the problems and the shortfall to a response."""
    for held in finished.images:
        if held.content is None:
            picture = message_of(result_pb2.EvidenceReference, held.facts)
            # Either way, the image may be readable later.
            missing = held.problem is EvidenceFault.KEY_MISSING
            kind = EvidenceFault.UNAVAILABLE if missing else held.problem
            response.evidence_problems.append(
                message_of(service_pb2.EvidenceProblem, held, picture=picture, kind=kind)
            )
        elif held.facts.purpose is ImagePurpose.EVIDENCE_FRAME:
            response.evidence_frame.CopyFrom(_image(held.facts, held.content))
        else:
            response.audit_images.append(_image(held.facts, held.content))
    if finished.shortfall is not None:
        response.audit_image_shortfall = number_of(service_pb2.AuditImageShortfall, finished.shortfall)


def _image(facts: ImageFacts, content: bytes) -> result_pb2.EvidenceImage:
    """Return an evidence image with its bytes."""
    return message_of(
        result_pb2.EvidenceImage, facts, image=content, rotation=rotation_to_wire(facts.rotation)
    )


def _result(outcome: CheckOutcome) -> result_pb2.CheckResult:
    about_person, transcript = outcome.verdict.about_person, outcome.transcript
    return message_of(
        result_pb2.CheckResult,
        outcome,
        status=outcome.verdict.status,
        reasons=outcome.verdict.reasons,
        liveness=_liveness(outcome, outcome.liveness) if about_person and outcome.liveness else None,
        match=_match(outcome, outcome.match) if about_person else None,
        device=_device(outcome.device),
        transcript=None
        if transcript is None
        else message_of(result_pb2.TranscriptResult, transcript, frames_examined=transcript.examined),
        attempts=[_attempt(one, about_person=about_person) for one in outcome.attempts],
        evidence_frame=None
        if outcome.evidence_frame is None
        else message_of(result_pb2.EvidenceReference, outcome.evidence_frame),
        audit_images=[message_of(result_pb2.EvidenceReference, mark) for mark in outcome.audit_images],
        policy=_policy(outcome),
        pack=pack_to_wire(outcome.pack),
        history=[_signal(signal) for signal in outcome.history],
        trusted_check=None
        if outcome.trusted_check is None
        else message_of(
            result_pb2.TrustedCheck, outcome.trusted_check, policy=_policy(outcome.trusted_check)
        ),
    )


def _policy(source: CheckOutcome | TrustedCheck) -> result_pb2.PolicyReference:
    return result_pb2.PolicyReference(
        name=source.policy_name,
        version=source.policy_version,
        sha256=source.policy_sha256,
        oid=source.policy_oid,
    )


def _liveness(outcome: CheckOutcome, liveness: LivenessResult) -> result_pb2.LivenessResult:
    explanations = [VERDICTS[reason] for reason in liveness.reasons]
    if liveness.verdict is not Verdict.LIVE:
        explanations += [_EARLIER_DOUBT.format(VERDICTS[doubt]) for doubt in outcome.doubts]
        del explanations[_MOST_EXPLANATIONS:]
    elif not outcome.device.assurance.attested:
        explanations.append(UNATTESTED)
    of_check = {name: getattr(outcome, name) for name in _OF_A_CHECK}
    of_check["challenge_steps"] = [_challenge_step(step) for step in outcome.challenge_steps]
    return liveness_to_wire(liveness, explanations=explanations, **of_check)


def _challenge_step(outcome: ChallengeStepOutcome) -> result_pb2.ChallengeStep:
    step = outcome.step
    return message_of(
        result_pb2.ChallengeStep,
        outcome,
        step=step.number,
        color=message_of(scan_pb2.Rgb, step.colour),
        transition=step.transition,
        drawn_bits=step.bits,
    )


def _signal(signal: Signal) -> result_pb2.Signal:
    return message_of(result_pb2.Signal, signal, detail=signal.detail[:_LONGEST_DETAIL])


def _match(outcome: CheckOutcome, match: MatchResult | None) -> result_pb2.MatchResult:
    demanded: dict[str, Any] = {
        "required_similarity": outcome.required_similarity,
        "required_fmr": outcome.required_fmr,
    }
    if match is None:
        return result_pb2.MatchResult(**demanded)
    return message_of(
        result_pb2.MatchResult, match, frames_used=outcome.match_frames, score=match.cosine, **demanded
    )


def _device(device: DeviceOutcome) -> result_pb2.DeviceResult:
    injection = device.injection
    return message_of(
        result_pb2.DeviceResult,
        device,
        required_assurance=device.required,
        checks=[message_of(result_pb2.DeviceCheck, check) for check in device.checks],
        signals=[_device_signal(sign) for sign in device.signs],
        injection_method=None if injection is None else injection.method.value,
        injection_instrument=None if injection is None else injection.instrument.value,
        tolerated_checks=device.tolerated,
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


def _attempt(attempt: AttemptOutline, *, about_person: bool = False) -> result_pb2.AttemptSummary:
    only = None if about_person else _NOT_ABOUT_PERSON
    return message_of(result_pb2.AttemptSummary, attempt, only=only)


def progress_to_wire(progress: CheckProgress) -> service_pb2.CheckProgress:
    """Return the progress of a check as the message."""
    return message_of(
        service_pb2.CheckProgress,
        progress,
        attempts=[_attempt(attempt) for attempt in progress.attempts],
        scan_expire_time=progress.scan_deadline,
        result_expire_time=progress.result_deadline,
        review=None,
    )


def serialise_report(report: PortraitReport) -> bytes:
    """Serialise the report to the bytes that are stored with the check."""
    requirements = [_requirement(requirement) for requirement in report.requirements]
    message = message_of(service_pb2.PortraitReport, report, requirements=requirements)
    return message.SerializeToString(deterministic=True)


def parse_report(data: bytes) -> service_pb2.PortraitReport:
    """Parse stored bytes as the message."""
    report = service_pb2.PortraitReport()
    report.ParseFromString(data)
    return report


def _requirement(requirement: Requirement) -> service_pb2.PortraitRequirement:
    return message_of(
        service_pb2.PortraitRequirement,
        requirement,
        method=requirement.method if requirement.score is not None else None,
        unassessed_reason=requirement.unassessed,
    )
