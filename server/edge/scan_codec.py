"""Converts ScanFace messages between the wire and ``server.scan.messages``.

Of claims, evidence and run-time findings of a device, sizes are tested first.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeVar

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from attempt import Feedback, MoveOval, PauseCapture, Reveal
from device_integrity import MAX_NAME_CHARACTERS, RuntimeFinding, RuntimeKind, RuntimeReport
from device_integrity.android import PlayTokenKind
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, ExposureClaim, Platform
from facegate_protocol.texts import HINTS
from liveness import Oval
from liveness.dynamic.challenge import ColourStep, Transition
from server.base.errors import Reason, Refusal
from server.device.evidence import (
    MAX_ATTESTATION_BYTES,
    MAX_ATTESTATIONS,
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
from server.domain.terms import Mode, Plan
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

_MOST_CERTIFICATES: Final = 10
_MAX_CERTIFICATE_BYTES: Final = 8 * 1024
_KEY_ID_BYTES: Final = 32
_MOST_FOCAL_LENGTHS: Final = 8
_SHORT, _MEDIUM, _LONG = 64, 128, 256
_PLAY_KINDS: Final[Mapping[int, PlayTokenKind]] = {
    device_pb2.PlayIntegrityToken.KIND_CLASSIC: PlayTokenKind.CLASSIC,
    device_pb2.PlayIntegrityToken.KIND_STANDARD: PlayTokenKind.STANDARD,
}
FINDINGS_FIELD: Final = "attestation.runtime_findings"
MAX_FINDINGS_BYTES: Final = 2048
"""Maximum size of a serialised RuntimeFindings; device.proto states it too."""
_MOST_ENTRIES: Final = 16
_KINDS: Final[Mapping[int, RuntimeKind]] = {
    device_pb2.RUNTIME_FINDING_KIND_ROOT: RuntimeKind.ROOT,
    device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK: RuntimeKind.HOOKING_FRAMEWORK,
    device_pb2.RUNTIME_FINDING_KIND_DEBUGGER: RuntimeKind.DEBUGGER,
    device_pb2.RUNTIME_FINDING_KIND_EMULATOR: RuntimeKind.EMULATOR,
    device_pb2.RUNTIME_FINDING_KIND_NETWORK_INTERCEPTION: RuntimeKind.NETWORK_INTERCEPTION,
    device_pb2.RUNTIME_FINDING_KIND_SCREEN_SHARING: RuntimeKind.SCREEN_SHARING,
    device_pb2.RUNTIME_FINDING_KIND_AUTOMATION: RuntimeKind.AUTOMATION,
}


def device_claim(profile: device_pb2.DeviceProfile) -> DeviceClaim:
    """Returns the claims that a device states about itself.

    Raises:
        Refusal: A text is longer than the contract allows (INVALID_FIELD).
    """
    _limit("start.device", profile, {"app_version": _SHORT, "sdk_version": _SHORT, "installation_id": _SHORT})
    _limit("start.device", profile, {"manufacturer": _MEDIUM, "model": _MEDIUM})
    _limit("start.device", profile, {"os_version": _SHORT, "app_id": _LONG})
    # A newer client may claim a platform that this version does not know.
    known = profile.platform in device_pb2.Platform.values()
    name = device_pb2.Platform.Name(profile.platform) if known else "PLATFORM_UNSPECIFIED"
    return DeviceClaim(
        platform=Platform(name.removeprefix("PLATFORM_")),
        manufacturer=profile.manufacturer,
        model=profile.model,
        os_version=profile.os_version,
        app_id=profile.app_id,
        sdk_version=profile.sdk_version,
    )


def camera_claim(profile: device_pb2.CameraProfile) -> CameraClaim:
    """Returns the claims about a camera; a number that is not finite is read as 0, which means not given.

    Raises:
        Refusal: A text or a list is longer than the contract allows (INVALID_FIELD).
    """
    _limit("start.camera", profile, {"id": _LONG, "label": _LONG, "transport": _LONG})
    _limit("start.camera", profile, {"hardware_level": _MEDIUM, "timestamp_source": _SHORT})
    if len(profile.focal_lengths_mm) > _MOST_FOCAL_LENGTHS:
        raise _too_long("start.camera.focal_lengths_mm", len(profile.focal_lengths_mm), _MOST_FOCAL_LENGTHS)
    known = profile.facing in device_pb2.CameraFacing.values()
    facing = device_pb2.CameraFacing.Name(profile.facing) if known else "CAMERA_FACING_UNSPECIFIED"
    return CameraClaim(
        id=profile.id,
        label=profile.label,
        facing=CameraFacing(facing.removeprefix("CAMERA_FACING_")),
        width=profile.width,
        height=profile.height,
        frames_per_second=_finite(profile.frames_per_second),
        sensor_orientation_degrees=profile.sensor_orientation_degrees,
        hardware_level=profile.hardware_level,
        transport=profile.transport,
        focal_lengths_mm=tuple(map(_finite, profile.focal_lengths_mm)),
        timestamp_source=profile.timestamp_source,
    )


def to_evidence(attestation: device_pb2.Attestation) -> DeviceEvidence:
    """Returns one piece of evidence.

    Raises:
        Refusal: The evidence is larger than the limit of a scan (SCAN_BUDGET_EXCEEDED), or a part of it has
            the wrong size (INVALID_FIELD).
    """
    if attestation.ByteSize() > MAX_ATTESTATION_BYTES:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"a scan takes at most {MAX_ATTESTATIONS} attestations of {MAX_ATTESTATION_BYTES} bytes each",
            details={"maxAttestations": MAX_ATTESTATIONS, "maxAttestationBytes": MAX_ATTESTATION_BYTES},
        )
    match attestation.WhichOneof("evidence"):
        case "android_key":
            return _android_key(attestation.android_key)
        case "play_integrity":
            token = attestation.play_integrity
            return PlayEvidence(_PLAY_KINDS.get(token.kind), token.token)
        case "app_attest":
            made = attestation.app_attest
            _key_id("attestation.app_attest.key_id", made.key_id)
            return AppAttestEvidence(made.key_id, made.attestation_object)
        case "app_attest_assertion":
            used = attestation.app_attest_assertion
            _key_id("attestation.app_attest_assertion.key_id", used.key_id)
            _limit("attestation.app_attest_assertion", used, {"assertion": 4096})
            return AppAttestAssertionEvidence(used.key_id, used.assertion)
        case "web_authn":
            return _web_authn(attestation.web_authn)
        case "web_crypto":
            key = attestation.web_crypto
            _limit("attestation.web_crypto", key, {"public_key": 128, "signature": 80, "origin": _LONG})
            return WebCryptoEvidence(key.public_key, key.signature, key.origin)
        case "unavailable":
            return _unavailable(attestation.unavailable)
        case _:
            return UnknownEvidence()


def _android_key(evidence: device_pb2.AndroidKeyAttestation) -> AndroidKeyEvidence:
    field = "attestation.android_key"
    if len(evidence.certificate_chain) > _MOST_CERTIFICATES:
        raise _too_long(f"{field}.certificate_chain", len(evidence.certificate_chain), _MOST_CERTIFICATES)
    if (longest := max(map(len, evidence.certificate_chain), default=0)) > _MAX_CERTIFICATE_BYTES:
        raise _too_long(f"{field}.certificate_chain", longest, _MAX_CERTIFICATE_BYTES)
    _limit(field, evidence, {"signature": 256})
    return AndroidKeyEvidence(tuple(evidence.certificate_chain), evidence.signature)


def _web_authn(evidence: device_pb2.WebAuthnEvidence) -> WebAuthnEvidence:
    _limit(
        "attestation.web_authn",
        evidence,
        {"credential_id": 1023, "client_data_json": 4096, "authenticator_data": 4096, "signature": 512},
    )
    return WebAuthnEvidence(
        credential_id=evidence.credential_id,
        client_data_json=evidence.client_data_json,
        attestation_object=evidence.attestation_object,
        authenticator_data=evidence.authenticator_data,
        signature=evidence.signature,
    )


def _unavailable(evidence: device_pb2.AttestationUnavailable) -> EvidenceUnavailable:
    _limit("attestation.unavailable", evidence, {"platform_error": _MEDIUM})
    kind = device_pb2.AttestationUnavailable.Reason
    known = evidence.reason in kind.values()
    name = kind.Name(evidence.reason) if known else "REASON_UNSPECIFIED"
    return EvidenceUnavailable(name.removeprefix("REASON_"))


def _key_id(field: str, key_id: bytes) -> None:
    if len(key_id) != _KEY_ID_BYTES:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{field} has {len(key_id)} bytes; it must have {_KEY_ID_BYTES}",
            details={"field": field, "bytes": len(key_id)},
        )


def _limit(place: str, message: object, limits: Mapping[str, int]) -> None:
    for name, limit in limits.items():
        value: str | bytes = getattr(message, name)
        size = len(value.encode() if isinstance(value, str) else value)
        if size > limit:
            raise _too_long(f"{place}.{name}", size, limit)


def _too_long(field: str, size: int, limit: int) -> Refusal:
    return Refusal(
        Reason.INVALID_FIELD,
        f"{field} has {size} bytes or entries; at most {limit} are allowed",
        details={"field": field, "size": size, "most": limit},
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def to_runtime_report(findings: device_pb2.RuntimeFindings) -> RuntimeReport:
    """Returns the report. A finding of an unknown kind is OTHER; unknown kinds in ``looked_for`` are ignored.

    Raises:
        Refusal: There are too many entries, or a name is too long or not printable ASCII (INVALID_FIELD).
    """
    _validate_entries("looked_for", len(findings.looked_for))
    _validate_entries("findings", len(findings.findings))
    for finding in findings.findings:
        _validate_name(finding.name)
    return RuntimeReport(
        looked_for=frozenset(_KINDS[kind] for kind in findings.looked_for if kind in _KINDS),
        findings=frozenset(
            RuntimeFinding(_KINDS.get(one.kind, RuntimeKind.OTHER), one.name) for one in findings.findings
        ),
    )


def _validate_entries(name: str, entries: int) -> None:
    if entries > _MOST_ENTRIES:
        field = f"{FINDINGS_FIELD}.{name}"
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{field} has {entries} entries; at most {_MOST_ENTRIES} are allowed",
            details={"field": field, "size": entries, "most": _MOST_ENTRIES},
        )


def _validate_name(name: str) -> None:
    if len(name) > MAX_NAME_CHARACTERS or not (name.isascii() and name.isprintable()):
        # The message does not repeat the text, because it is untrusted.
        field = f"{FINDINGS_FIELD}.findings.name"
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{field} must be at most {MAX_NAME_CHARACTERS} printable ASCII characters",
            details={"field": field, "size": len(name), "most": MAX_NAME_CHARACTERS},
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
