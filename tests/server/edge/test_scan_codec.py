"""Messages of a scan between the wire and the server: any input is a message or a refusal."""

from datetime import UTC, datetime

import pytest
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from attempt.challenge import Feedback, PauseCapture
from attempt.judgement import _ADVICE
from attempt.placement import FEEDBACK_CODES
from device_integrity.camera import CameraClaim, DeviceClaim, ExposureClaim, Platform
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.challenge.script import ColourStep, ScreenColour, Transition
from liveness.guidance import Oval
from server.base.errors import Reason, Refusal
from server.device.evidence import UnknownEvidence
from server.domain.terms import Mode, Plan
from server.edge.scan_codec import (
    duration,
    feedback_code,
    serialise_challenge,
    timestamp,
    to_inbound,
    to_response,
)
from server.scan.messages import (
    CAPTURE_TOO_SLOW,
    NETWORK_TOO_SLOW,
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

_Request = scan_pb2.ScanFaceRequest


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


@pytest.mark.parametrize("cause", EndCause)
def test_an_end_keeps_its_bytes(cause: EndCause) -> None:
    body = scan_pb2.AttemptEndBody(
        attempt=1,
        frame_count=2,
        last_mac=b"mac",
        dropped_count=3,
        cause=scan_pb2.AttemptEndBody.Cause.Value(f"CAUSE_{cause}"),
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


def test_an_end_without_a_cause_is_complete() -> None:
    message = to_inbound(_Request(attempt_end=scan_pb2.AttemptEnd()))
    assert isinstance(message, AttemptEndMessage)
    assert message.cause is EndCause.COMPLETE


def test_proof_and_attestation_are_decoded() -> None:
    proof = scan_pb2.ResumeProof(signature=b"s")
    assert to_inbound(_Request(resume_proof=proof)) == ResumeProofMessage(b"s")
    empty = device_pb2.Attestation()
    assert to_inbound(_Request(attestation=empty)) == AttestationMessage(UnknownEvidence())


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (_Request(start=bytes(16 * 1024 + 1)), "start"),
        (_Request(start=b"\xff"), "start"),
        (_Request(frame=scan_pb2.Frame(header=bytes(1025))), "frame.header"),
        (_Request(frame=scan_pb2.Frame(header=b"\xff")), "frame.header"),
        (_Request(attempt_end=scan_pb2.AttemptEnd(body=bytes(1025))), "attempt_end.body"),
        (_Request(attempt_end=scan_pb2.AttemptEnd(body=b"\xff")), "attempt_end.body"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(request_: scan_pb2.ScanFaceRequest, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        to_inbound(request_)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == field


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
    step = ColourStep(
        number=7,
        colour=ScreenColour(255, 108, 0),
        transition=Transition.SCROLL_DOWN,
        transition_seconds=0.3,
        hold_seconds=0.45,
        bits=5.0,
        last=False,
    )
    sent = to_response(Reveal(step)).flash_step
    assert (sent.step, sent.last) == (7, False)
    assert (sent.color.red, sent.color.green, sent.color.blue) == (255, 108, 0)
    assert sent.transition == scan_pb2.TRANSITION_SCROLL_DOWN
    assert sent.transition_duration == duration(0.3)
    assert sent.minimum_hold == duration(0.45)
    # The device does not learn how much it proves.
    assert {field.name for field, _ in sent.ListFields()} == {
        "step",
        "color",
        "transition",
        "transition_duration",
        "minimum_hold",
    }


def test_ovals_and_pauses_are_sent() -> None:
    change = to_response(
        MoveOval(oval=Oval(width=0.5, height=0.6), transition_seconds=0.8, number=1)
    ).oval_change
    assert change.oval.width == pytest.approx(0.5)
    assert (change.change, change.transition_duration) == (1, duration(0.8))
    pause = to_response(PauseCapture(paused=True, reason="NO_FACE")).capture_pause
    assert (pause.paused, pause.reason) == (True, feedback_pb2.FEEDBACK_CODE_NO_FACE)


@pytest.mark.parametrize("plan", Plan)
def test_every_plan_is_on_the_wire(plan: Plan) -> None:
    message = AttemptStartMessage(
        attempt=1, nonce=b"n", plan=plan, expected_seconds=1.0, credit=CreditMessage(1, 1), oval=Oval()
    )
    assert scan_pb2.Plan.Name(to_response(message).attempt_start.plan) == f"PLAN_{plan}"


def test_capabilities_that_are_not_known_are_ignored() -> None:
    start = scan_pb2.ScanStart(
        capabilities=[
            scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT,
            scan_pb2.CAPABILITY_FLASH,
            scan_pb2.CAPABILITY_OVAL_CHANGE,
            scan_pb2.CAPABILITY_OPEN_MOUTH,
        ]
    )
    # An enum value of a later version, as its bytes: field 2, packed.
    raw = start.SerializeToString() + b"\x12\x01\x63"
    message = to_inbound(_Request(start=raw))
    assert isinstance(message, StartMessage)
    assert message.capabilities == {Capability.FLASH, Capability.OVAL_CHANGE, Capability.OPEN_MOUTH}


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


def test_the_ready_message_is_decoded() -> None:
    request = _Request(attempt_ready=scan_pb2.AttemptReady())
    assert to_inbound(request) == AttemptReadyMessage()
    start = scan_pb2.ScanStart(capabilities=[scan_pb2.CAPABILITY_READY])
    message = to_inbound(_Request(start=start.SerializeToString()))
    assert isinstance(message, StartMessage)
    assert message.capabilities == {Capability.READY}


@pytest.mark.parametrize("seconds", [None, 0.0, 42.5])
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


@pytest.mark.parametrize("status", ScanStatus)
def test_every_status_is_on_the_wire(status: ScanStatus) -> None:
    message = ScanResultMessage(
        attempt=1, status=status, feedback=(), another_attempt=False, attempts_remaining=0
    )
    sent = to_response(message).scan_result.status
    assert scan_pb2.ScanStatus.Name(sent) == f"SCAN_STATUS_{status}"


@pytest.mark.parametrize("reason", GoodbyeReason)
@pytest.mark.parametrize("seconds", [None, 1.5])
def test_every_goodbye_is_on_the_wire(reason: GoodbyeReason, seconds: float | None) -> None:
    goodbye = to_response(GoodbyeMessage(reason, seconds)).goodbye
    assert scan_pb2.Goodbye.Reason.Name(goodbye.reason) == f"REASON_{reason}"
    assert goodbye.HasField("reconnect_after") is (seconds is not None)


@pytest.mark.parametrize(
    "code",
    sorted(
        {*FEEDBACK_CODES.values(), *_ADVICE.values(), *HintCode, CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW, "FAILED"}
    ),
)
def test_every_code_that_is_reported_is_on_the_wire(code: str) -> None:
    assert feedback_pb2.FeedbackCode.Name(feedback_code(code)) == f"FEEDBACK_CODE_{code}"


@pytest.mark.parametrize(
    "code", sorted({*FEEDBACK_CODES.values(), *(code.value for code in HintCode), CAPTURE_TOO_SLOW})
)
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
