"""Converts ScanFace messages between the wire and ``server.scan.messages``."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from attempt import Feedback, MoveOval, PauseCapture, Reveal
from device_integrity.camera import ExposureClaim
from facegate_protocol.texts import HINTS
from liveness import Oval
from liveness.dynamic.challenge import ColourStep, Transition
from server.base.errors import Reason, Refusal
from server.domain.terms import Mode, Plan
from server.edge.device_codec import (
    FINDINGS_FIELD,
    MAX_FINDINGS_BYTES,
    camera_claim,
    device_claim,
    to_evidence,
    to_runtime_report,
)
from server.scan.handshake import MAX_START_BYTES
from server.scan.messages import (
    AdjustmentMessage,
    AttemptEndMessage,
    AttemptReadyMessage,
    AttemptStartMessage,
    AttestationMessage,
    Capability,
    ChallengeFields,
    ChallengeMessage,
    CompleteMessage,
    CreditMessage,
    EndCause,
    FrameMessage,
    GoodbyeMessage,
    Inbound,
    Outbound,
    ResumeProofMessage,
    ScanResultMessage,
    StartMessage,
)

MAX_SCAN_MESSAGE_BYTES = 768 * 1024
"""Maximum message size of the device listener; scan.proto states it too."""

_MAX_SMALL_BYTES = 1024
_ROTATIONS: dict[int, int] = {
    scan_pb2.ROTATION_UNSPECIFIED: 0,
    scan_pb2.ROTATION_90: 90,
    scan_pb2.ROTATION_180: 180,
    scan_pb2.ROTATION_270: 270,
}
_CAUSES: dict[int, EndCause] = {
    scan_pb2.AttemptEndBody.CAUSE_UNSPECIFIED: EndCause.COMPLETE,
    scan_pb2.AttemptEndBody.CAUSE_COMPLETE: EndCause.COMPLETE,
    scan_pb2.AttemptEndBody.CAUSE_SOURCE_ENDED: EndCause.SOURCE_ENDED,
    scan_pb2.AttemptEndBody.CAUSE_CANCELLED: EndCause.CANCELLED,
    scan_pb2.AttemptEndBody.CAUSE_TIMED_OUT: EndCause.TIMED_OUT,
    scan_pb2.AttemptEndBody.CAUSE_CAMERA_FAILED: EndCause.CAMERA_FAILED,
}
_CAPABILITIES: dict[int, Capability] = {
    scan_pb2.CAPABILITY_FLASH: Capability.FLASH,
    scan_pb2.CAPABILITY_FLASH_SCROLL: Capability.FLASH_SCROLL,
    scan_pb2.CAPABILITY_OVAL_CHANGE: Capability.OVAL_CHANGE,
    scan_pb2.CAPABILITY_READY: Capability.READY,
    scan_pb2.CAPABILITY_RUNTIME_FINDINGS: Capability.RUNTIME_FINDINGS,
    scan_pb2.CAPABILITY_OPEN_MOUTH: Capability.OPEN_MOUTH,
    scan_pb2.CAPABILITY_TURN_HEAD: Capability.TURN_HEAD,
}
_MOST_CAPABILITIES = 32
_PLANS = {
    Plan.EXPRESS: scan_pb2.PLAN_EXPRESS,
    Plan.FLASH: scan_pb2.PLAN_FLASH,
    Plan.MOVEMENT: scan_pb2.PLAN_MOVEMENT,
}
_TRANSITIONS = {
    Transition.FLAT: scan_pb2.TRANSITION_FLAT,
    Transition.SCROLL_DOWN: scan_pb2.TRANSITION_SCROLL_DOWN,
}
_MODES = {Mode.EXPRESS: scan_pb2.MODE_EXPRESS, Mode.DYNAMIC: scan_pb2.MODE_DYNAMIC}

Parsed = TypeVar("Parsed", bound=Message)


def to_inbound(request: scan_pb2.ScanFaceRequest) -> Inbound:
    """Converts a message of the device. Opaque parts are parsed, and their bytes are kept beside the result.

    Raises:
        Refusal: The kind of message is unknown, or an opaque part cannot be parsed.
    """
    match request.WhichOneof("message"):
        case "start":
            return _start(request.start)
        case "resume_proof":
            return ResumeProofMessage(request.resume_proof.signature)
        case "attestation":
            return _attestation(request.attestation)
        case "frame":
            return _frame(request.frame)
        case "attempt_end":
            return _attempt_end(request.attempt_end)
        case "attempt_ready":
            return AttemptReadyMessage()
        case _:
            raise Refusal(
                Reason.UNEXPECTED_MESSAGE,
                "the message is of a kind that this server does not know",
            )


def _start(raw: bytes) -> StartMessage:
    start = _parse(scan_pb2.ScanStart, raw, "start", MAX_START_BYTES)
    return StartMessage(
        raw=raw,
        protocol_version=start.protocol_version,
        token=start.token,
        key_share=start.key_share,
        session_public_key=start.session_public_key,
        server_spki_sha256=start.server_spki_sha256,
        resume=start.resume,
        device=device_claim(start.device),
        camera=camera_claim(start.camera),
        capabilities=frozenset(
            _CAPABILITIES[one] for one in start.capabilities[:_MOST_CAPABILITIES] if one in _CAPABILITIES
        ),
    )


def _attestation(attestation: device_pb2.Attestation) -> AttestationMessage:
    evidence, raw = to_evidence(attestation), attestation.runtime_findings
    if not raw:
        return AttestationMessage(evidence)
    findings = _parse(device_pb2.RuntimeFindings, raw, FINDINGS_FIELD, MAX_FINDINGS_BYTES)
    alone = attestation.WhichOneof("evidence") is None
    return AttestationMessage(None if alone else evidence, raw, to_runtime_report(findings))


def _frame(frame: scan_pb2.Frame) -> FrameMessage:
    header = _parse(scan_pb2.FrameHeader, frame.header, "frame.header", _MAX_SMALL_BYTES)
    if header.rotation not in _ROTATIONS:
        raise Refusal(
            Reason.INVALID_FIELD,
            "frame.header.rotation is not 0, 90, 180 or 270 degrees",
            details={"field": "frame.header.rotation"},
        )
    return FrameMessage(
        header=frame.header,
        image=frame.image,
        mac=frame.mac,
        attempt=header.attempt,
        index=header.index,
        capture_time_us=header.capture_time_us,
        rotation_degrees=_ROTATIONS[header.rotation],
        mirrored=header.mirrored,
        dropped_before=header.dropped_before,
        width=header.width,
        height=header.height,
        flash_step=header.flash_step,
        flash_step_since_us=header.flash_step_since_us,
        exposure=_exposure(header.exposure) if header.HasField("exposure") else None,
    )


def _exposure(exposure: scan_pb2.ExposureMetadata) -> ExposureClaim:
    return ExposureClaim(
        exposure_time_ns=exposure.exposure_time_ns,
        iso=exposure.iso,
        white_balance_kelvin=exposure.white_balance_kelvin,
        exposure_locked=exposure.exposure_locked,
        white_balance_locked=exposure.white_balance_locked,
        rolling_shutter_skew_ns=exposure.rolling_shutter_skew_ns,
    )


def _attempt_end(end: scan_pb2.AttemptEnd) -> AttemptEndMessage:
    body = _parse(scan_pb2.AttemptEndBody, end.body, "attempt_end.body", _MAX_SMALL_BYTES)
    return AttemptEndMessage(
        body=end.body,
        signature=end.signature,
        attempt=body.attempt,
        frame_count=body.frame_count,
        last_mac=body.last_mac,
        dropped_count=body.dropped_count,
        cause=_CAUSES.get(body.cause, EndCause.COMPLETE),
    )


def _parse(kind: Callable[[], Parsed], raw: bytes, field: str, limit: int) -> Parsed:
    if len(raw) > limit:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{field} has {len(raw)} bytes; at most {limit} are allowed",
            details={"field": field, "bytes": len(raw), "maxBytes": limit},
        )
    message = kind()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{field} is not a serialised message of the expected type",
            details={"field": field},
        ) from error
    return message


def to_response(message: Outbound) -> scan_pb2.ScanFaceResponse:
    """Converts a message to the device."""
    response = scan_pb2.ScanFaceResponse
    match message:
        case ChallengeMessage():
            return response(
                challenge=scan_pb2.Challenge(
                    body=message.body,
                    signature=message.signature,
                    signing_public_key=message.signing_public_key,
                )
            )
        case AttemptStartMessage():
            return response(
                attempt_start=scan_pb2.AttemptStart(
                    attempt=message.attempt,
                    nonce=message.nonce,
                    plan=plan_to_wire(message.plan),
                    expected_duration=duration(message.expected_seconds),
                    credit=_credit(message.credit),
                    oval=_oval(message.oval),
                )
            )
        case CreditMessage():
            return response(credit=_credit(message))
        case Feedback():
            return response(
                feedback=feedback_pb2.Feedback(
                    code=feedback_code(message.code),
                    message=HINTS[message.code],
                    progress=message.progress,
                    frame_index=message.frame_index,
                )
            )
        case Reveal():
            return response(flash_step=_flash_step(message.step))
        case MoveOval():
            return response(
                oval_change=scan_pb2.OvalChange(
                    oval=_oval(message.oval),
                    transition_duration=duration(message.transition_seconds),
                    change=message.number,
                )
            )
        case PauseCapture():
            return response(
                capture_pause=scan_pb2.CapturePause(
                    paused=message.paused, reason=feedback_code(message.reason)
                )
            )
        case AdjustmentMessage():
            return response(
                capture_adjustment=scan_pb2.CaptureAdjustment(
                    max_frames_per_second=message.max_frames_per_second,
                    max_side=message.max_side,
                    max_frame_bytes=message.max_frame_bytes,
                )
            )
        case CompleteMessage():
            return response(capture_complete=scan_pb2.CaptureComplete(attempt=message.attempt))
        case ScanResultMessage():
            result = scan_pb2.ScanResult(
                attempt=message.attempt,
                status=scan_pb2.ScanStatus.Value(f"SCAN_STATUS_{message.status}"),
                feedback=[feedback_code(code) for code in message.feedback],
                another_attempt=message.another_attempt,
                attempts_remaining=message.attempts_remaining,
            )
            if message.ready_within is not None:
                result.ready_within.CopyFrom(duration(message.ready_within))
            return response(scan_result=result)
        case GoodbyeMessage():
            goodbye = scan_pb2.Goodbye(reason=scan_pb2.Goodbye.Reason.Value(f"REASON_{message.reason}"))
            if message.reconnect_after is not None:
                goodbye.reconnect_after.CopyFrom(duration(message.reconnect_after))
            return response(goodbye=goodbye)


def _flash_step(step: ColourStep) -> scan_pb2.FlashStep:
    return scan_pb2.FlashStep(
        step=step.number,
        color=scan_pb2.Rgb(red=step.colour.red, green=step.colour.green, blue=step.colour.blue),
        transition=_TRANSITIONS[step.transition],
        transition_duration=duration(step.transition_seconds),
        minimum_hold=duration(step.hold_seconds),
        last=step.last,
    )


def serialise_challenge(fields: ChallengeFields) -> bytes:
    """Serialises the ChallengeBody that is signed."""
    budget = fields.budget
    return scan_pb2.ChallengeBody(
        protocol_version=fields.protocol_version,
        nonce=fields.nonce,
        key_share=fields.key_share,
        oval=_oval(fields.oval),
        budget=scan_pb2.CaptureBudget(
            max_frame_bytes=budget.max_frame_bytes,
            max_frame_pixels=budget.max_frame_pixels,
            max_frames_per_attempt=budget.max_frames_per_attempt,
            max_scan_bytes=budget.max_scan_bytes,
            max_frames_per_second=budget.max_frames_per_second,
            min_frames_per_second=budget.min_frames_per_second,
            max_attempt_duration=duration(budget.max_attempt_seconds),
            min_frame_side=budget.min_frame_side,
        ),
        initial_credit=_credit(fields.credit),
        mode=_MODES[fields.mode],
        attempts_remaining=fields.attempts_remaining,
        scan_deadline=timestamp(fields.scan_deadline),
        server_time=timestamp(fields.server_time),
        resume_proof_required=fields.resume_proof_required,
        attestation=scan_pb2.AttestationDemand(
            level=scan_pb2.AttestationDemand.Level.Value(f"LEVEL_{fields.attestation_level}"),
            grace=duration(fields.attestation_grace_seconds),
            runtime_findings=fields.runtime_findings,
        ),
    ).SerializeToString()


def feedback_code(name: str) -> "feedback_pb2.FeedbackCode.ValueType":
    """Returns a feedback code by its name without the prefix."""
    return feedback_pb2.FeedbackCode.Value(f"FEEDBACK_CODE_{name}")


def mode_to_wire(mode: Mode) -> "scan_pb2.Mode.ValueType":
    """Returns a mode on the wire."""
    return _MODES[mode]


def plan_to_wire(plan: Plan) -> "scan_pb2.Plan.ValueType":
    """Returns a plan on the wire."""
    return _PLANS[plan]


def transition_to_wire(transition: Transition) -> "scan_pb2.Transition.ValueType":
    """Returns a transition on the wire."""
    return _TRANSITIONS[transition]


def duration(seconds: float) -> Duration:
    """Converts seconds to a protobuf duration, rounded to milliseconds."""
    value = Duration()
    value.FromMilliseconds(round(seconds * 1000))
    return value


def timestamp(moment: datetime) -> Timestamp:
    """Converts a time to a protobuf timestamp."""
    value = Timestamp()
    value.FromDatetime(moment)
    return value


def _credit(credit: CreditMessage) -> scan_pb2.Credit:
    return scan_pb2.Credit(frames=credit.frames, bytes=credit.bytes)


def _oval(oval: Oval) -> scan_pb2.Oval:
    return scan_pb2.Oval(center_x=oval.centre_x, center_y=oval.centre_y, width=oval.width, height=oval.height)
