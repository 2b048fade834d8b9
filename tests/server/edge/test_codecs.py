"""Messages between the wire and the server: any input is a message or a refusal."""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from facegate.v1 import audit_pb2, device_pb2, feedback_pb2, result_pb2, review_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from attempt.challenge import Feedback, PauseCapture
from attempt.judgement import (
    _ADVICE,
    CAPTURE_TOO_SLOW,
    NETWORK_TOO_SLOW,
    SERVER_BUSY,
    ChallengeStepOutcome,
)
from device_integrity.android import PlayTokenKind
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
from device_integrity.device_test import Assurance
from device_integrity.device_test import DeviceFinding as DeviceTestOutcome
from device_integrity.runtime import RuntimeFinding, RuntimeKind, RuntimeReport
from facegate_protocol.texts import VERDICTS
from formats.exposure import ExposureClaim
from liveness import HintCode
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.dynamic.challenge.script import ColourStep, ScreenColour, Transition
from liveness.guidance import Oval
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from matcher.conformance.interface import Component, Method
from matcher.conformance.requirement import IntakeCode, Severity
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy, PortraitReport
from server.base.errors import Reason, Refusal
from server.checks.completion import FinishedCheck
from server.device.evidence import (
    AndroidKeyEvidence,
    AppAttestAssertionEvidence,
    AppAttestEvidence,
    DeviceEvidence,
    EvidenceUnavailable,
    PlayEvidence,
    UnknownEvidence,
    WebAuthnEvidence,
    WebCryptoEvidence,
)
from server.domain.reviews import ReviewOutcome, ReviewStanding, ReviewState
from server.domain.terms import AttemptOutcome, EndedBy, Mode, Plan
from server.edge.evidence_calls import audit_event_to_wire, audit_filter_of
from server.edge.fields import duration, message_of, page_size, timestamp
from server.edge.result_codec import (
    UNATTESTED,
    add_images,
    parse_report,
    parse_result,
    serialise_report,
    serialise_result,
)
from server.edge.review_calls import standing_to_wire
from server.edge.scan_codec import (
    camera_claim,
    device_claim,
    serialise_challenge,
    to_evidence,
    to_inbound,
    to_response,
    to_runtime_report,
)
from server.evidence.store import HeldImage
from server.scan.messages import (
    AdjustmentMessage,
    AttemptEndMessage,
    AttemptReadyMessage,
    AttemptStartMessage,
    AttestationMessage,
    Capability,
    CaptureBudget,
    ChallengeFields,
    ChallengeMessage,
    CompleteMessage,
    CreditMessage,
    EndCause,
    FrameMessage,
    GoodbyeMessage,
    GoodbyeReason,
    Inbound,
    ResumeProofMessage,
    ScanResultMessage,
    ScanStatus,
    StartMessage,
)
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from tests.liveness.fusing import express_results
from tests.server.live import portrait
from tests.server.models_once import remembering_pack
from tests.server.storage.samples import entry
from tests.server.test_audit import NOW, chain
from tests.server.verdict.samples import ATTEMPT, LATER, OUTCOME

# Claims and evidence from the wire: every part within its limit, or a typed refusal.

_Attestation = device_pb2.Attestation
_KEY = bytes(32)


@pytest.mark.parametrize(
    ("message", "evidence"),
    [
        (
            {"android_key": {"certificate_chain": [b"a", b"b"], "signature": b"s"}},
            AndroidKeyEvidence((b"a", b"b"), b"s"),
        ),
        (
            {"play_integrity": {"kind": device_pb2.PlayIntegrityToken.KIND_STANDARD, "token": "t"}},
            PlayEvidence(PlayTokenKind.STANDARD, "t"),
        ),
        ({"play_integrity": {"token": "t"}}, PlayEvidence(None, "t")),
        (
            {"app_attest": {"key_id": _KEY, "attestation_object": b"object"}},
            AppAttestEvidence(_KEY, b"object"),
        ),
        (
            {"app_attest_assertion": {"key_id": _KEY, "assertion": b"assertion"}},
            AppAttestAssertionEvidence(_KEY, b"assertion"),
        ),
        (
            {"web_authn": {"credential_id": b"c", "signature": b"s"}},
            WebAuthnEvidence(
                credential_id=b"c",
                client_data_json=b"",
                attestation_object=b"",
                authenticator_data=b"",
                signature=b"s",
            ),
        ),
        (
            {"web_crypto": {"public_key": b"k", "signature": b"s", "origin": "o"}},
            WebCryptoEvidence(b"k", b"s", "o"),
        ),
        (
            {"unavailable": {"reason": device_pb2.AttestationUnavailable.REASON_TIMED_OUT}},
            EvidenceUnavailable("TIMED_OUT"),
        ),
        ({}, UnknownEvidence()),
    ],
)
def test_each_kind_of_evidence_is_decoded(message: dict[str, Any], evidence: DeviceEvidence) -> None:
    assert to_evidence(_Attestation(**message)) == evidence


@pytest.mark.parametrize(
    ("kind", "part", "value"),
    [
        ("android_key", "certificate_chain", [b"c"] * 11),
        ("android_key", "certificate_chain", [bytes(8193)]),
        ("android_key", "signature", bytes(257)),
        ("app_attest", "key_id", bytes(31)),
        ("app_attest_assertion", "key_id", bytes(33)),
        ("app_attest_assertion", "assertion", bytes(4097)),
        ("web_authn", "credential_id", bytes(1024)),
        ("web_crypto", "origin", "ä" * 129),
        ("unavailable", "platform_error", "e" * 129),
    ],
)
def test_a_part_that_is_not_of_its_size_is_refused(kind: str, part: str, value: object) -> None:
    fields = {part: value}
    if kind == "app_attest_assertion" and part != "key_id":
        fields["key_id"] = _KEY
    with pytest.raises(Refusal) as caught:
        to_evidence(_Attestation(**{kind: fields}))  # type: ignore[arg-type]  # fields of any kind
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == f"attestation.{kind}.{part}"


def test_evidence_beyond_the_budget_is_refused() -> None:
    token = device_pb2.PlayIntegrityToken(token="t" * 64 * 1024)
    with pytest.raises(Refusal) as caught:
        to_evidence(_Attestation(play_integrity=token))
    assert caught.value.reason is Reason.SCAN_BUDGET_EXCEEDED


@given(data=st.binary(max_size=300))
def test_any_bytes_are_evidence_or_a_refusal(data: bytes) -> None:
    message = _Attestation()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return  # The servicer handles this one.
    with suppress(Refusal):
        to_evidence(message)


def test_claims_are_taken_as_they_are() -> None:
    profile = device_pb2.DeviceProfile(
        platform=device_pb2.PLATFORM_ANDROID, manufacturer="m", model="n", os_version="16", app_id="a.b"
    )
    assert device_claim(profile) == DeviceClaim(
        platform=Platform.ANDROID, manufacturer="m", model="n", os_version="16", app_id="a.b"
    )
    camera = device_pb2.CameraProfile(
        id="1",
        facing=device_pb2.CAMERA_FACING_FRONT,
        width=640,
        frames_per_second=math.inf,
        focal_lengths_mm=[2.5, math.nan],
    )
    assert camera_claim(camera) == CameraClaim(
        id="1", facing=CameraFacing.FRONT, width=640, frames_per_second=0.0, focal_lengths_mm=(2.5, 0.0)
    )


@pytest.mark.parametrize(
    ("device", "camera", "field"),
    [
        ({"model": "m" * 129}, {}, "start.device.model"),
        ({"app_id": "a" * 257}, {}, "start.device.app_id"),
        ({}, {"label": "OBS" * 100}, "start.camera.label"),
        ({}, {"focal_lengths_mm": [1.0] * 9}, "start.camera.focal_lengths_mm"),
    ],
)
def test_claims_longer_than_the_contract_are_refused(
    device: dict[str, str], camera: dict[str, object], field: str
) -> None:
    profile = device_pb2.DeviceProfile(**device)  # type: ignore[arg-type]  # texts only
    described = device_pb2.CameraProfile(**camera)  # type: ignore[arg-type]  # as the contract has them
    with pytest.raises(Refusal) as caught:
        _ = (device_claim(profile), camera_claim(described))
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == field


_FRIDA = device_pb2.RuntimeFinding(kind=device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK, name="frida")
_UNAVAILABLE = device_pb2.AttestationUnavailable()


def _request(findings: bytes, *, alone: bool = False) -> scan_pb2.ScanFaceRequest:
    attestation = device_pb2.Attestation(runtime_findings=findings)
    if not alone:
        attestation.unavailable.CopyFrom(_UNAVAILABLE)
    return scan_pb2.ScanFaceRequest(attestation=attestation)


def _field(request: scan_pb2.ScanFaceRequest) -> object:
    with pytest.raises(Refusal) as refused:
        to_inbound(request)
    assert refused.value.reason is Reason.INVALID_FIELD
    return refused.value.details["field"]


@pytest.mark.parametrize("alone", [False, True])
def test_a_report_comes_with_evidence_or_alone(alone: bool) -> None:
    looked = [device_pb2.RUNTIME_FINDING_KIND_ROOT, device_pb2.RUNTIME_FINDING_KIND_AUTOMATION]
    raw = device_pb2.RuntimeFindings(looked_for=looked, findings=[_FRIDA]).SerializeToString()
    assert to_inbound(_request(raw, alone=alone)) == AttestationMessage(
        None if alone else EvidenceUnavailable("UNSPECIFIED"),
        raw,
        RuntimeReport(
            frozenset({RuntimeKind.ROOT, RuntimeKind.AUTOMATION}),
            frozenset({RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, "frida")}),
        ),
    )
    assert to_inbound(_request(b"")) == AttestationMessage(EvidenceUnavailable("UNSPECIFIED"))


@pytest.mark.parametrize("kind", [device_pb2.RUNTIME_FINDING_KIND_UNSPECIFIED, 99])
def test_a_finding_of_an_unknown_kind_is_one_and_looking_for_it_is_nothing(kind: int) -> None:
    finding = device_pb2.RuntimeFinding(name="tomorrow's tool")
    finding.kind = kind  # type: ignore[assignment]  # of a later version
    looked = device_pb2.RuntimeFindings(findings=[finding])
    looked.looked_for.append(kind)  # type: ignore[arg-type]  # likewise
    assert to_runtime_report(looked) == RuntimeReport(
        frozenset(), frozenset({RuntimeFinding(RuntimeKind.OTHER, "tomorrow's tool")})
    )


def test_every_kind_of_the_wire_is_known() -> None:
    kinds = [kind for kind in device_pb2.RuntimeFindingKind.values() if kind]
    report = to_runtime_report(device_pb2.RuntimeFindings(looked_for=kinds))
    assert report.looked_for == frozenset(RuntimeKind) - {RuntimeKind.OTHER}


@pytest.mark.parametrize(
    ("findings", "field"),
    [
        (b"\xff", "attestation.runtime_findings"),
        (bytes(2049), "attestation.runtime_findings"),
        (
            device_pb2.RuntimeFindings(findings=[_FRIDA] * 17).SerializeToString(),
            "attestation.runtime_findings.findings",
        ),
        (
            device_pb2.RuntimeFindings(
                looked_for=[device_pb2.RUNTIME_FINDING_KIND_ROOT] * 17
            ).SerializeToString(),
            "attestation.runtime_findings.looked_for",
        ),
    ],
)
def test_an_oversized_or_malformed_report_is_refused(findings: bytes, field: str) -> None:
    assert _field(_request(findings)) == field


@pytest.mark.parametrize("name", ["x" * 65, "line\nbreak", "caf\u00e9", "\x1b[31m", "\u202e"])
def test_a_name_is_short_and_printable_and_not_repeated(name: str) -> None:
    raw = device_pb2.RuntimeFindings(findings=[device_pb2.RuntimeFinding(name=name)]).SerializeToString()
    with pytest.raises(Refusal) as refused:
        to_inbound(_request(raw))
    assert refused.value.details["field"] == "attestation.runtime_findings.findings.name"
    assert name not in str(refused.value)


@given(st.binary(max_size=2100))
def test_any_bytes_are_a_report_or_refused(raw: bytes) -> None:
    try:
        message = to_inbound(_request(raw))
    except Refusal:
        assert _field(_request(raw))
    else:
        assert isinstance(message, AttestationMessage)
        assert (message.report is None) is (raw == b"")


_ENTRY = chain(2)[1]


def test_an_entry_becomes_the_message() -> None:
    message = audit_event_to_wire(_ENTRY)
    assert (message.sequence, message.action, message.purpose) == (2, "evidence.read", "complaint 12")
    assert (message.actor.name, message.actor.role, message.actor.address) == (
        "anna",
        "compliance_reader",
        "192.0.2.7",
    )
    assert message.time.ToDatetime(tzinfo=UTC) == _ENTRY.time
    assert (message.pseudonym, message.hash.hex(), dict(message.detail)) == (
        bytes(32),
        _ENTRY.hash,
        {"index": "1"},
    )


def test_an_altered_entry_becomes_a_message_too() -> None:
    altered = replace(_ENTRY, sequence=-1, hash="zz", pseudonym="x", detail="[", time_us=2**62, check_id=None)
    message = audit_event_to_wire(altered)
    assert (message.sequence, message.hash, message.pseudonym, dict(message.detail)) == (0, b"", b"", {})


def test_a_request_becomes_a_filter() -> None:
    start = Timestamp()
    start.FromDatetime(NOW)
    request = audit_pb2.ListAuditEventsRequest(
        page_size=7,
        start_time=start,
        action="evidence.read",
        actor="anna",
        check_id="12345678-1234-5678-1234-56781234567A",
        subject_reference="customer-1",
    )
    assert page_size(request, usual=100, most=1000) == 7
    chosen = audit_filter_of(request)
    assert (chosen.since, chosen.until, chosen.actions, chosen.actor) == (
        NOW,
        None,
        ("evidence.read",),
        "anna",
    )
    assert chosen.check_id == "12345678-1234-5678-1234-56781234567a"
    nothing = audit_pb2.ListAuditEventsRequest()
    assert page_size(nothing, usual=100, most=1000) == 100
    assert list(audit_filter_of(nothing).conditions()) == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (audit_pb2.ListAuditEventsRequest(page_size=1001), "page_size"),
        (audit_pb2.ListAuditEventsRequest(check_id="no"), "check_id"),
        (audit_pb2.ListAuditEventsRequest(action="a" * 257), "action"),
        (audit_pb2.ListAuditEventsRequest(subject_reference="a" * 257), "subject_reference"),
        (audit_pb2.ListAuditEventsRequest(end_time=Timestamp(seconds=2**60)), "end_time"),
        (audit_pb2.ListAuditEventsRequest(start_time=Timestamp(seconds=-(2**60))), "start_time"),
    ],
)
def test_other_fields_are_refused(request_: audit_pb2.ListAuditEventsRequest, field: str) -> None:
    read: Any = page_size if field == "page_size" else audit_filter_of
    with pytest.raises(Refusal) as caught:
        read(request_)
    assert (caught.value.reason, caught.value.details["field"]) == (Reason.INVALID_FIELD, field)


@given(
    seconds=st.integers(-(2**63), 2**63 - 1),
    nanos=st.integers(-(2**31), 2**31 - 1),
    texts=st.lists(st.text(max_size=300), min_size=3, max_size=3),
)
def test_hostile_requests_are_refused_or_filters(seconds: int, nanos: int, texts: list[str]) -> None:
    action, check_id, subject = texts
    request = audit_pb2.ListAuditEventsRequest(
        start_time=Timestamp(seconds=seconds, nanos=nanos),
        action=action,
        check_id=check_id,
        subject_reference=subject,
    )
    with suppress(Refusal):
        audit_filter_of(request)


# Outcomes as the bytes that are stored, signed and returned.


def test_the_same_outcome_gives_the_same_bytes() -> None:
    assert serialise_result(OUTCOME) == serialise_result(replace(OUTCOME))


def test_a_round_trip_keeps_everything() -> None:
    message = parse_result(serialise_result(OUTCOME))
    assert message.check_id == str(OUTCOME.check_id)
    assert message.sandbox
    assert (message.policy.name, message.policy.oid) == ("standard", "1.3.6.1.4.1.32473.1")
    assert (message.device.sdk_version, message.device.sdk_supported_until) == (
        "facegate-web 1.2",
        "2027-03-31",
    )
    (attempt,) = message.attempts
    assert (attempt.mode, attempt.plan) == (scan_pb2.MODE_EXPRESS, scan_pb2.PLAN_MOVEMENT)
    assert attempt.ended_by == result_pb2.AttemptSummary.ENDED_BY_CONNECTION_LOST
    assert attempt.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert message.status == result_pb2.CHECK_STATUS_FAILURE
    assert list(message.reasons) == [
        result_pb2.FAILURE_REASON_CONDITIONS,
        result_pb2.FAILURE_REASON_SPOOF,
    ]
    assert message.liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert message.liveness.attack_type == result_pb2.ATTACK_TYPE_INJECTION
    assert message.liveness.used_mode == scan_pb2.MODE_EXPRESS
    blink, network = message.liveness.signals
    assert (blink.score, blink.weight, blink.passed) == (0.25, 0.5, False)
    assert not network.HasField("score")
    assert not network.HasField("passed")
    assert len(network.detail) == 500
    assert message.match.similarity == 80.0
    assert message.match.frames_used == 8
    assert message.device.required_assurance == result_pb2.DEVICE_ASSURANCE_LOW
    assert message.device.checks[0].outcome == result_pb2.DeviceCheck.OUTCOME_PASS
    assert (message.transcript.frames, message.transcript.frames_examined) == (30, 21)
    assert message.transcript.dropped == 2
    assert message.attempts[0].outcome == result_pb2.AttemptSummary.OUTCOME_DECIDED
    assert message.attempts[0].end_time.ToDatetime(UTC) == LATER
    assert message.evidence_frame.sha256 == b"e" * 32
    assert [mark.frame_index for mark in message.audit_images] == [3]
    assert (message.policy.name, message.pack.evaluation_only) == ("standard", True)
    calibration = message.pack.calibration
    assert calibration.provenance == result_pb2.CalibrationReference.PROVENANCE_MEASURED_BY_OPERATOR
    assert (calibration.sha256, calibration.lowest_fmr_bound) == (b"c" * 32, 1e-5)
    assert message.match.score == 0.9
    assert not message.match.HasField("scan_fmr_bound")
    assert message.decide_time.ToDatetime(UTC) == LATER


_DRAWN = ColourStep(
    number=2,
    colour=ScreenColour(255, 108, 0),
    transition=Transition.SCROLL_DOWN,
    transition_seconds=0.3,
    hold_seconds=0.45,
    bits=4.8,
    last=False,
)


def test_the_steps_of_a_flash_are_kept() -> None:
    grey = replace(_DRAWN, number=1, colour=ScreenColour(158, 158, 158), transition=Transition.FLAT, bits=0.0)
    outcome = replace(
        OUTCOME,
        requested_mode=Mode.EXPRESS,
        used_mode=Mode.DYNAMIC,
        verified_bits=13.5,
        required_bits=12.0,
        challenge_steps=(
            ChallengeStepOutcome(step=grey, signal_to_noise=None, agrees=None),
            ChallengeStepOutcome(step=_DRAWN, signal_to_noise=9.5, agrees=True),
        ),
    )
    liveness = parse_result(serialise_result(outcome)).liveness
    assert (liveness.requested_mode, liveness.used_mode) == (scan_pb2.MODE_EXPRESS, scan_pb2.MODE_DYNAMIC)
    assert (liveness.verified_bits, liveness.required_bits) == (13.5, 12.0)
    first, second = liveness.challenge_steps
    assert (first.step, first.drawn_bits) == (1, 0.0)
    assert not first.HasField("agrees")
    assert not first.HasField("signal_to_noise")
    assert (second.agrees, second.signal_to_noise, second.drawn_bits) == (True, 9.5, 4.8)
    assert (second.color.red, second.color.green) == (255, 108)
    assert second.transition == scan_pb2.TRANSITION_SCROLL_DOWN


def test_missing_values_are_absent_on_the_wire() -> None:
    bare = replace(
        OUTCOME,
        liveness=None,
        match=None,
        match_frames=0,
        used_mode=None,
        transcript=None,
        evidence_frame=None,
        audit_images=(),
        attempts=(replace(ATTEMPT, end_time=None, outcome=AttemptOutcome.INTERRUPTED),),
    )
    message = parse_result(serialise_result(bare))
    assert not message.HasField("liveness")
    assert not message.HasField("transcript")
    assert not message.HasField("evidence_frame")
    assert not message.match.same_person
    assert message.match.similarity == 0
    assert not message.match.HasField("score")
    # The demand is stated even if there was no comparison.
    assert message.match.required_similarity == 70.0
    assert not message.attempts[0].HasField("end_time")


def test_an_undecided_result_has_no_finding_on_the_person() -> None:
    verdict = CheckVerdict(CheckStatus.NOT_DECIDED, (FailureReason.SERVER_FAULT,))
    message = parse_result(serialise_result(replace(OUTCOME, verdict=verdict)))
    assert message.status == result_pb2.CHECK_STATUS_NOT_DECIDED
    assert list(message.reasons) == [result_pb2.FAILURE_REASON_SERVER_FAULT]
    assert not message.HasField("liveness")
    assert not message.HasField("match")
    (whole,) = parse_result(serialise_result(OUTCOME)).attempts
    assert _names(whole) - _names(message.attempts[0]) == {"verdict"}


def _names(message: Message) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


def test_a_receiver_sees_the_named_fields_and_no_later_one() -> None:
    standing = ReviewStanding(ReviewState.DECIDED, ReviewOutcome.ALLOW, NOW, "jws")
    whole = standing_to_wire(standing, outcome=True)
    assert _names(whole) == {field.name for field in whole.DESCRIPTOR.fields}
    assert _names(standing_to_wire(standing, outcome=False)) == {"state", "expire_time"}
    nothing = message_of(review_pb2.CheckReview, standing, only=(), review_jws="jws")
    assert not _names(nothing)


@pytest.mark.parametrize("assurance", Assurance)
@pytest.mark.parametrize("verdict", Verdict)
def test_a_live_result_says_that_nobody_attested_the_device(verdict: Verdict, assurance: Assurance) -> None:
    assert OUTCOME.liveness is not None
    outcome = replace(
        OUTCOME,
        liveness=replace(OUTCOME.liveness, verdict=verdict, score=90.0),
        device=replace(OUTCOME.device, assurance=assurance),
    )
    liveness = parse_result(serialise_result(outcome)).liveness
    rests_on_claims = verdict is Verdict.LIVE and assurance in {Assurance.NONE, Assurance.LOW}
    assert (UNATTESTED in liveness.explanations) is rests_on_claims


@given(liveness=express_results())
def test_signed_bytes_have_one_meaning(liveness: LivenessResult) -> None:
    result = serialise_result(replace(OUTCOME, liveness=liveness))
    parsed = parse_result(result).liveness
    live = parsed.verdict == result_pb2.LIVENESS_VERDICT_LIVE
    spoof = parsed.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert live == (parsed.confidence >= liveness.policy.live_threshold)
    assert spoof == (parsed.confidence <= liveness.policy.spoof_threshold)
    assert live == (parsed.attack_type == result_pb2.ATTACK_TYPE_REAL)
    assert spoof or parsed.attack_type != result_pb2.ATTACK_TYPE_INJECTION


@pytest.mark.parametrize(
    ("wire", "prefix", "words"),
    [
        (result_pb2.CheckStatus, "CHECK_STATUS", CheckStatus),
        (result_pb2.LivenessVerdict, "LIVENESS_VERDICT", Verdict),
        (result_pb2.AttackType, "ATTACK_TYPE", AttackType),
        (result_pb2.DeviceAssurance, "DEVICE_ASSURANCE", Assurance),
        (result_pb2.AttemptSummary.Outcome, "OUTCOME", AttemptOutcome),
        (result_pb2.AttemptSummary.EndedBy, "ENDED_BY", EndedBy),
        (result_pb2.FailureReason, "FAILURE_REASON", FailureReason),
        (result_pb2.DeviceCheck.Outcome, "OUTCOME", DeviceTestOutcome),
        (scan_pb2.Plan, "PLAN", Plan),
        (scan_pb2.ScanStatus, "SCAN_STATUS", ScanStatus),
        (scan_pb2.Goodbye.Reason, "REASON", GoodbyeReason),
        (
            feedback_pb2.FeedbackCode,
            "FEEDBACK_CODE",
            {*_ADVICE.values(), *HintCode, CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW, SERVER_BUSY, "FAILED"},
        ),
    ],
)
def test_every_word_of_the_inside_is_on_the_wire(wire: Any, prefix: str, words: Iterable[str]) -> None:
    assert {f"{prefix}_{word}" for word in words} <= set(wire.keys())


def test_every_liveness_reason_has_plain_words() -> None:
    assert set(VERDICTS) == set(VerdictReason)
    assert len(set(VERDICTS.values())) == len(VERDICTS)


@pytest.mark.parametrize("rotation", [0, 90])
def test_an_image_states_its_orientation(rotation: int) -> None:
    kept = HeldImage(replace(entry("picture").facts, rotation=rotation), b"image")
    response = service_pb2.FinishCheckResponse()
    record: Any = None
    add_images(
        response, FinishedCheck(record=record, result=b"", images=(kept,), shortfall=None, review=None)
    )
    message = response.evidence_frame
    assert message.rotation == (scan_pb2.ROTATION_90 if rotation else scan_pb2.ROTATION_UNSPECIFIED)
    assert message.mirrored
    assert (message.image, message.media_type, message.frame_index) == (b"image", "image/jpeg", 7)


_WIRE = service_pb2.PortraitRequirement


@pytest.fixture(scope="module")
def report() -> PortraitReport:
    return accept_portrait(portrait(), pack=remembering_pack(), policy=PortraitPolicy()).report


def test_a_real_report_survives_a_round_trip(report: PortraitReport) -> None:
    message = parse_report(serialise_report(report))
    assert (message.media_type, message.width, message.height) == (
        report.media_type,
        report.width,
        report.height,
    )
    assert message.eye_distance_px == report.eye_distance_px
    assert (message.container, list(message.notes)) == ("", [])
    assert [requirement.code for requirement in message.requirements] == [
        requirement.code.value for requirement in report.requirements
    ]
    for sent, own in zip(message.requirements, report.requirements, strict=True):
        assert (sent.severity == _WIRE.SEVERITY_HARD) is (own.severity is Severity.HARD)
        assert (sent.passed if sent.HasField("passed") else None) is own.passed
        assert (sent.score if sent.HasField("score") else None) == own.score
        assert (sent.required, sent.measured) == (own.required, own.measured)
        assert sent.clause
        assert bool(sent.unassessed_reason) is (own.passed is None)


def test_a_score_names_its_algorithm(report: PortraitReport) -> None:
    sent = {each.code: each for each in parse_report(serialise_report(report)).requirements}
    assert sent[Component.HEAD_SIZE].method == _WIRE.METHOD_STANDARD
    assert sent[Component.EXPRESSION_NEUTRALITY].method == _WIRE.METHOD_APPROXIMATION
    assert sent[IntakeCode.FILE_SIZE].method == _WIRE.METHOD_UNSPECIFIED
    unassessed = sent[Component.UNIFIED_QUALITY_SCORE]
    assert unassessed.method == _WIRE.METHOD_UNSPECIFIED
    assert not unassessed.HasField("passed")
    assert not unassessed.HasField("score")
    assert (unassessed.measured, bool(unassessed.unassessed_reason)) == ("", True)
    own = {each.code: each for each in report.requirements}
    assert own[Component.UNIFIED_QUALITY_SCORE].method is Method.STANDARD


def test_a_missed_requirement_and_a_record_are_encoded(report: PortraitReport) -> None:
    missed = replace(
        report,
        requirements=(replace(report.requirements[0], passed=False),),
        container="ISO/IEC 19794-5:2011 in ICAO DG2",
        notes=("a note",),
    )
    message = parse_report(serialise_report(missed))
    assert message.requirements[0].HasField("passed")
    assert message.requirements[0].passed is False
    assert message.container == "ISO/IEC 19794-5:2011 in ICAO DG2"
    assert list(message.notes) == ["a note"]


# Messages of a scan between the wire and the server: any input is a message or a refusal.

_Request = scan_pb2.ScanFaceRequest


_HEADER_TURNED = scan_pb2.FrameHeader(rotation=7).SerializeToString()  # type: ignore[arg-type]  # no rotation


def test_a_start_keeps_its_bytes() -> None:
    raw = scan_pb2.ScanStart(
        protocol_version=1,
        token="t",
        key_share=bytes(32),
        session_public_key=b"k",
        server_spki_sha256=bytes(32),
        resume=True,
        device=device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_IOS),
    ).SerializeToString()
    assert to_inbound(_Request(start=raw)) == StartMessage(
        raw=raw,
        protocol_version=1,
        token="t",
        key_share=bytes(32),
        session_public_key=b"k",
        server_spki_sha256=bytes(32),
        resume=True,
        device=DeviceClaim(platform=Platform.IOS),
        camera=CameraClaim(),
    )


def test_a_platform_of_a_later_version_is_unspecified() -> None:
    raw = scan_pb2.ScanStart(device=device_pb2.DeviceProfile(platform=77)).SerializeToString()  # type: ignore[arg-type]  # a number that this version does not know
    message = to_inbound(_Request(start=raw))
    assert isinstance(message, StartMessage)
    assert message.device.platform is Platform.UNSPECIFIED


@pytest.mark.parametrize(
    ("rotation", "degrees"),
    [
        (scan_pb2.ROTATION_UNSPECIFIED, 0),
        (scan_pb2.ROTATION_90, 90),
        (scan_pb2.ROTATION_180, 180),
        (scan_pb2.ROTATION_270, 270),
    ],
)
def test_a_frame_keeps_its_bytes(rotation: scan_pb2.Rotation.ValueType, degrees: int) -> None:
    header = scan_pb2.FrameHeader(
        attempt=2,
        index=3,
        capture_time_us=4,
        rotation=rotation,
        mirrored=True,
        dropped_before=5,
        width=6,
        height=7,
    ).SerializeToString()
    frame = scan_pb2.Frame(header=header, image=b"image", mac=b"mac")
    assert to_inbound(_Request(frame=frame)) == FrameMessage(
        header=header,
        image=b"image",
        mac=b"mac",
        attempt=2,
        index=3,
        capture_time_us=4,
        rotation_degrees=degrees,
        mirrored=True,
        dropped_before=5,
        width=6,
        height=7,
    )


@pytest.mark.parametrize(
    ("sent", "cause"), [*((cause.value, cause) for cause in EndCause), ("UNSPECIFIED", EndCause.COMPLETE)]
)
def test_an_end_keeps_its_bytes(sent: str, cause: EndCause) -> None:
    body = scan_pb2.AttemptEndBody(
        attempt=1,
        frame_count=2,
        last_mac=b"mac",
        dropped_count=3,
        cause=scan_pb2.AttemptEndBody.Cause.Value(f"CAUSE_{sent}"),
    ).SerializeToString()
    end = scan_pb2.AttemptEnd(body=body, signature=b"signature")
    assert to_inbound(_Request(attempt_end=end)) == AttemptEndMessage(
        body=body,
        signature=b"signature",
        attempt=1,
        frame_count=2,
        last_mac=b"mac",
        dropped_count=3,
        cause=cause,
    )


def test_messages_without_a_part_that_is_signed_are_decoded() -> None:
    proof, empty = scan_pb2.ResumeProof(signature=b"s"), device_pb2.Attestation()
    assert to_inbound(_Request(resume_proof=proof)) == ResumeProofMessage(b"s")
    assert to_inbound(_Request(attestation=empty)) == AttestationMessage(UnknownEvidence())
    assert to_inbound(_Request(attempt_ready=scan_pb2.AttemptReady())) == AttemptReadyMessage()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (_Request(start=bytes(16 * 1024 + 1)), "start"),
        (_Request(start=b"\xff"), "start"),
        (_Request(frame=scan_pb2.Frame(header=bytes(1025))), "frame.header"),
        (_Request(frame=scan_pb2.Frame(header=b"\xff")), "frame.header"),
        (_Request(frame=scan_pb2.Frame(header=_HEADER_TURNED)), "frame.header.rotation"),
        (_Request(attempt_end=scan_pb2.AttemptEnd(body=bytes(1025))), "attempt_end.body"),
        (_Request(attempt_end=scan_pb2.AttemptEnd(body=b"\xff")), "attempt_end.body"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(request_: scan_pb2.ScanFaceRequest, field: str) -> None:
    assert _field(request_) == field


def _answer(request_: scan_pb2.ScanFaceRequest) -> Inbound | Reason | None:
    """The message, or the reason of its refusal; ``None`` for a refusal that is not about the message."""
    try:
        return to_inbound(request_)
    except Refusal as refusal:
        known = refusal.reason in {Reason.INVALID_FIELD, Reason.UNEXPECTED_MESSAGE}
        return refusal.reason if known else None


_BYTES = st.binary(max_size=64)


@given(
    st.one_of(
        st.builds(lambda raw: _Request(start=raw), _BYTES),
        st.builds(lambda raw: _Request(frame=scan_pb2.Frame(header=raw, image=raw, mac=raw)), _BYTES),
        st.builds(lambda raw: _Request(attempt_end=scan_pb2.AttemptEnd(body=raw, signature=raw)), _BYTES),
        st.builds(lambda raw: _Request(resume_proof=scan_pb2.ResumeProof(signature=raw)), _BYTES),
    )
)
def test_any_bytes_are_a_message_or_a_refusal(request_: scan_pb2.ScanFaceRequest) -> None:
    assert _answer(request_) is not None


@given(st.binary(max_size=200))
def test_any_request_that_parses_is_a_message_or_a_refusal(raw: bytes) -> None:
    try:
        request_ = _Request.FromString(raw)
    except DecodeError:
        return
    assert _answer(request_) is not None


def test_outbound_messages_are_encoded() -> None:
    oval = Oval()
    challenge = to_response(ChallengeMessage(b"body", b"signature", b"key")).challenge
    assert (challenge.body, challenge.signature, challenge.signing_public_key) == (
        b"body",
        b"signature",
        b"key",
    )
    start = to_response(
        AttemptStartMessage(
            attempt=2,
            nonce=b"n",
            plan=Plan.FLASH,
            expected_seconds=4.25,
            credit=CreditMessage(3, 400),
            oval=oval,
        )
    ).attempt_start
    assert (start.attempt, start.nonce, start.plan) == (2, b"n", scan_pb2.PLAN_FLASH)
    assert start.expected_duration == duration(4.25)
    assert (start.credit.frames, start.credit.bytes) == (3, 400)
    assert start.oval.width == pytest.approx(oval.width)
    credit = to_response(CreditMessage(1, 2)).credit
    assert (credit.frames, credit.bytes) == (1, 2)
    adjustment = to_response(AdjustmentMessage(0.0, 480, 65_536)).capture_adjustment
    assert (adjustment.max_side, adjustment.max_frame_bytes) == (480, 65_536)
    assert to_response(CompleteMessage(3)).capture_complete.attempt == 3
    for seconds in (None, 1.5):
        goodbye = to_response(GoodbyeMessage(GoodbyeReason.DRAINING, seconds)).goodbye
        assert goodbye.reason == scan_pb2.Goodbye.REASON_DRAINING
        assert goodbye.HasField("reconnect_after") is (seconds is not None)
    result = to_response(
        ScanResultMessage(
            attempt=1,
            status=ScanStatus.RETRY,
            feedback=("TOO_DARK", "MOVE_CLOSER"),
            another_attempt=True,
            attempts_remaining=2,
        )
    ).scan_result
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert list(result.feedback) == [
        feedback_pb2.FEEDBACK_CODE_TOO_DARK,
        feedback_pb2.FEEDBACK_CODE_MOVE_CLOSER,
    ]
    assert (result.another_attempt, result.attempts_remaining) == (True, 2)


def test_a_step_is_sent_as_it_was_drawn() -> None:
    sent = to_response(Reveal(_DRAWN)).flash_step
    assert (sent.step, sent.last) == (2, False)
    assert (sent.color.red, sent.color.green, sent.color.blue) == (255, 108, 0)
    assert sent.transition == scan_pb2.TRANSITION_SCROLL_DOWN
    assert sent.transition_duration == duration(0.3)
    assert sent.minimum_hold == duration(0.45)
    # The device does not learn how much it proves.
    assert _names(sent) == {"step", "color", "transition", "transition_duration", "minimum_hold"}


def test_ovals_and_pauses_are_sent() -> None:
    change = to_response(
        MoveOval(oval=Oval(width=0.5, height=0.6), transition_seconds=0.8, number=1)
    ).oval_change
    assert change.oval.width == pytest.approx(0.5)
    assert (change.change, change.transition_duration) == (1, duration(0.8))
    pause = to_response(PauseCapture(paused=True, reason="NO_FACE")).capture_pause
    assert (pause.paused, pause.reason) == (True, feedback_pb2.FEEDBACK_CODE_NO_FACE)


def test_capabilities_that_are_not_known_are_ignored() -> None:
    start = scan_pb2.ScanStart(
        capabilities=[
            scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT,
            scan_pb2.CAPABILITY_FLASH,
            scan_pb2.CAPABILITY_OVAL_CHANGE,
            scan_pb2.CAPABILITY_OPEN_MOUTH,
            scan_pb2.CAPABILITY_READY,
        ]
    )
    # An enum value of a later version, as its bytes: field 2, packed.
    raw = start.SerializeToString() + b"\x12\x01\x63"
    message = to_inbound(_Request(start=raw))
    assert isinstance(message, StartMessage)
    known = {Capability.FLASH, Capability.OVAL_CHANGE, Capability.OPEN_MOUTH, Capability.READY}
    assert message.capabilities == known


def test_flash_metadata_of_a_frame_are_decoded() -> None:
    header = scan_pb2.FrameHeader(
        attempt=1,
        index=3,
        flash_step=2,
        flash_step_since_us=1_234_567,
        exposure=scan_pb2.ExposureMetadata(
            exposure_time_ns=8_000_000,
            iso=400,
            white_balance_kelvin=4100,
            exposure_locked=True,
            rolling_shutter_skew_ns=21_000_000,
        ),
    )
    message = to_inbound(_Request(frame=scan_pb2.Frame(header=header.SerializeToString())))
    assert isinstance(message, FrameMessage)
    assert (message.flash_step, message.flash_step_since_us) == (2, 1_234_567)
    assert message.exposure == ExposureClaim(
        exposure_time_ns=8_000_000,
        iso=400,
        white_balance_kelvin=4100,
        exposure_locked=True,
        white_balance_locked=False,
        rolling_shutter_skew_ns=21_000_000,
    )
    header.ClearField("exposure")
    message = to_inbound(_Request(frame=scan_pb2.Frame(header=header.SerializeToString())))
    assert isinstance(message, FrameMessage)
    assert message.exposure is None


@pytest.mark.parametrize("seconds", [None, 42.5])
def test_how_long_readiness_is_waited_for(seconds: float | None) -> None:
    message = ScanResultMessage(
        attempt=1,
        status=ScanStatus.RETRY,
        feedback=(),
        another_attempt=True,
        attempts_remaining=1,
        ready_within=seconds,
    )
    result = to_response(message).scan_result
    assert result.HasField("ready_within") is (seconds is not None)
    assert result.ready_within.seconds + result.ready_within.nanos / 1e9 == (seconds or 0.0)


@pytest.mark.parametrize("code", sorted({*(code.value for code in HintCode), CAPTURE_TOO_SLOW}))
def test_every_live_hint_has_a_text(code: str) -> None:
    feedback = to_response(Feedback(code, 0.5, 9)).feedback
    assert feedback.message
    assert feedback.progress == 0.5
    assert feedback.frame_index == 9


def test_a_challenge_survives_a_round_trip() -> None:
    moment = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
    budget = CaptureBudget()
    body = scan_pb2.ChallengeBody.FromString(
        serialise_challenge(
            ChallengeFields(
                protocol_version=1,
                nonce=b"n" * 32,
                key_share=b"s" * 32,
                oval=Oval(),
                budget=budget,
                credit=CreditMessage(4, 1000),
                mode=Mode.EXPRESS,
                attempts_remaining=3,
                scan_deadline=moment,
                server_time=moment,
                resume_proof_required=True,
                attestation_level="REQUIRED",
                attestation_grace_seconds=10.0,
                runtime_findings=True,
            )
        )
    )
    assert body.budget.max_frame_bytes == budget.max_frame_bytes
    assert body.budget.min_frame_side == budget.min_frame_side
    assert body.budget.max_attempt_duration == duration(budget.max_attempt_seconds)
    assert body.scan_deadline == timestamp(moment)
    assert body.resume_proof_required
    assert body.attestation.level == scan_pb2.AttestationDemand.LEVEL_REQUIRED
    assert body.attestation.runtime_findings
    assert body.mode == scan_pb2.MODE_EXPRESS
