"""Outcomes as the bytes that are stored, signed and returned."""

from dataclasses import replace
from datetime import UTC

import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from hypothesis import given

from attempt.judgement import ChallengeStepOutcome
from device_integrity.assurance import Assurance
from device_integrity.check import DeviceFinding as DeviceCheckOutcome
from facegate_protocol.texts import VERDICTS
from liveness.dynamic.challenge.steps import ColourStep, ScreenColour, Transition
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from matcher.conformance.interface import Component, Method
from matcher.conformance.requirement import IntakeCode
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy, PortraitReport, Severity
from server.checks.completion import HandedOut
from server.domain.terms import AttemptOutcome, Mode
from server.edge.result_codec import (
    UNATTESTED,
    add_images,
    parse_report,
    parse_result,
    serialise_report,
    serialise_result,
)
from server.evidence.store import HeldImage, facts_of
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from tests.liveness.results import express_results
from tests.server.live import portrait
from tests.server.models_once import remembering_pack
from tests.server.storage.samples import entry
from tests.server.verdict.samples import ATTEMPT, LATER, OUTCOME


def test_the_same_outcome_gives_the_same_bytes() -> None:
    assert serialise_result(OUTCOME) == serialise_result(replace(OUTCOME))


def test_a_round_trip_keeps_everything() -> None:
    message = parse_result(serialise_result(OUTCOME))
    assert message.check_id == str(OUTCOME.check_id)
    assert message.sandbox
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


def test_the_steps_of_a_flash_are_kept() -> None:
    grey = ColourStep(
        number=1,
        colour=ScreenColour(158, 158, 158),
        transition=Transition.FLAT,
        transition_seconds=0.0,
        hold_seconds=0.4,
        bits=0.0,
        last=False,
    )
    drawn = replace(
        grey, number=2, colour=ScreenColour(255, 108, 108), transition=Transition.SCROLL_DOWN, bits=4.8
    )
    outcome = replace(
        OUTCOME,
        requested_mode=Mode.EXPRESS,
        used_mode=Mode.DYNAMIC,
        verified_bits=13.5,
        required_bits=12.0,
        challenge_steps=(
            ChallengeStepOutcome(step=grey, signal_to_noise=None, agrees=None),
            ChallengeStepOutcome(step=drawn, signal_to_noise=9.5, agrees=True),
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


@pytest.mark.parametrize("status", CheckStatus)
def test_every_status_is_on_the_wire(status: CheckStatus) -> None:
    message = parse_result(serialise_result(replace(OUTCOME, verdict=CheckVerdict(status, ()))))
    assert result_pb2.CheckStatus.Name(message.status) == f"CHECK_STATUS_{status}"


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


def test_every_word_of_the_inside_is_on_the_wire() -> None:
    assert OUTCOME.liveness is not None
    for verdict in Verdict:
        assert result_pb2.LivenessVerdict.Value(f"LIVENESS_VERDICT_{verdict}")
    for attack in AttackType:
        assert result_pb2.AttackType.Value(f"ATTACK_TYPE_{attack}")
    for assurance in Assurance:
        device = replace(OUTCOME.device, assurance=assurance)
        assert serialise_result(replace(OUTCOME, device=device))
    for outcome in AttemptOutcome:
        assert serialise_result(replace(OUTCOME, attempts=(replace(ATTEMPT, outcome=outcome),)))
    for check in DeviceCheckOutcome:
        assert result_pb2.DeviceCheck.Outcome.Value(f"OUTCOME_{check}")


def test_every_liveness_reason_has_plain_words() -> None:
    assert set(VERDICTS) == set(VerdictReason)
    assert len(set(VERDICTS.values())) == len(VERDICTS)


@pytest.mark.parametrize(
    ("rotation", "wire"),
    [
        (0, scan_pb2.ROTATION_UNSPECIFIED),
        (90, scan_pb2.ROTATION_90),
        (180, scan_pb2.ROTATION_180),
        (270, scan_pb2.ROTATION_270),
    ],
)
def test_an_image_states_its_orientation(rotation: int, wire: scan_pb2.Rotation.ValueType) -> None:
    kept = HeldImage(facts_of(replace(entry("picture"), rotation=rotation)), b"image")
    response = service_pb2.FinishCheckResponse()
    add_images(response, HandedOut(images=(kept,), shortfall=None))
    message = response.evidence_frame
    assert message.rotation == wire
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
