"""Converts ScanFace messages between the wire and ``server.scan.messages``.

Of claims, evidence and run-time findings of a device, sizes are tested first.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from google.protobuf.message import DecodeError, Message

from attempt import Feedback, MoveOval, PauseCapture, Reveal
from device_integrity import MAX_NAME_CHARACTERS, RuntimeFinding, RuntimeKind, RuntimeReport
from device_integrity.android import PlayTokenKind
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
from facegate_protocol.texts import HINTS
from formats.exposure import ExposureClaim
from liveness import Oval
from liveness.dynamic.challenge import ColourStep
from server.base.errors import Reason, Refusal, invalid_field
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
from server.edge.fields import duration, member_of, message_of, name_of, number_of, value_of
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
FINDINGS_FIELD: Final = "attestation.runtime_findings"
MAX_FINDINGS_BYTES: Final = 2048
"""Maximum size of a serialised RuntimeFindings; device.proto states it too."""
_MOST_ENTRIES: Final = 16


def device_claim(profile: device_pb2.DeviceProfile) -> DeviceClaim:
    """Return the claims that a device states about itself.

    Raises:
        Refusal: A text is longer than the contract allows (INVALID_FIELD).
    """
    _limit("start.device", profile, {"app_version": _SHORT, "sdk_version": _SHORT, "installation_id": _SHORT})
    _limit("start.device", profile, {"manufacturer": _MEDIUM, "model": _MEDIUM})
    _limit("start.device", profile, {"os_version": _SHORT, "app_id": _LONG})
    # A newer client may claim a platform that this version does not know.
    platform = member_of(Platform, device_pb2.Platform, profile.platform)
    return value_of(DeviceClaim, profile, platform=platform or Platform.UNSPECIFIED)


def camera_claim(profile: device_pb2.CameraProfile) -> CameraClaim:
    """Return the claims about a camera; a number that is not finite is read as 0, which means not given.

    Raises:
        Refusal: A text or a list is longer than the contract allows (INVALID_FIELD).
    """
    _limit("start.camera", profile, {"id": _LONG, "label": _LONG, "transport": _LONG})
    _limit("start.camera", profile, {"hardware_level": _MEDIUM, "timestamp_source": _SHORT})
    if len(profile.focal_lengths_mm) > _MOST_FOCAL_LENGTHS:
        raise _too_long("start.camera.focal_lengths_mm", len(profile.focal_lengths_mm), _MOST_FOCAL_LENGTHS)
    facing = member_of(CameraFacing, device_pb2.CameraFacing, profile.facing)
    return value_of(
        CameraClaim,
        profile,
        facing=facing or CameraFacing.UNSPECIFIED,
        frames_per_second=_finite(profile.frames_per_second),
        focal_lengths_mm=tuple(map(_finite, profile.focal_lengths_mm)),
    )


def to_evidence(attestation: device_pb2.Attestation) -> DeviceEvidence:
    """Return one piece of evidence.

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
            kind = member_of(PlayTokenKind, device_pb2.PlayIntegrityToken.Kind, token.kind)
            return PlayEvidence(kind, token.token)
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
            used_key = attestation.web_authn
            _limit("attestation.web_authn", used_key, {"credential_id": 1023, "signature": 512})
            _limit("attestation.web_authn", used_key, {"client_data_json": 4096, "authenticator_data": 4096})
            return value_of(WebAuthnEvidence, used_key)
        case "web_crypto":
            key = attestation.web_crypto
            _limit("attestation.web_crypto", key, {"public_key": 128, "signature": 80, "origin": _LONG})
            return WebCryptoEvidence(key.public_key, key.signature, key.origin)
        case "unavailable":
            missing = attestation.unavailable
            _limit("attestation.unavailable", missing, {"platform_error": _MEDIUM})
            return EvidenceUnavailable(name_of(device_pb2.AttestationUnavailable.Reason, missing.reason))
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


def _key_id(field: str, key_id: bytes) -> None:
    if len(key_id) != _KEY_ID_BYTES:
        raise invalid_field(
            field, f"{field} has {len(key_id)} bytes; it must have {_KEY_ID_BYTES}", bytes=len(key_id)
        )


def _limit(place: str, message: object, limits: Mapping[str, int]) -> None:
    for name, limit in limits.items():
        value: str | bytes = getattr(message, name)
        size = len(value.encode() if isinstance(value, str) else value)
        if size > limit:
            raise _too_long(f"{place}.{name}", size, limit)


def _too_long(field: str, size: int, limit: int) -> Refusal:
    return invalid_field(
        field, f"{field} has {size} bytes or entries; at most {limit} are allowed", size=size, most=limit
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def to_runtime_report(findings: device_pb2.RuntimeFindings) -> RuntimeReport:
    """Return the report. A finding of an unknown kind is OTHER; unknown kinds in ``looked_for`` are ignored.

    Raises:
        Refusal: There are too many entries, or a name is too long or not printable ASCII (INVALID_FIELD).
    """
    for name, entries in (("looked_for", len(findings.looked_for)), ("findings", len(findings.findings))):
        if entries > _MOST_ENTRIES:
            field = f"{FINDINGS_FIELD}.{name}"
            words = f"{field} has {entries} entries; at most {_MOST_ENTRIES} are allowed"
            raise invalid_field(field, words, size=entries, most=_MOST_ENTRIES)
    found = set()
    for one in findings.findings:
        size = len(one.name)
        if size > MAX_NAME_CHARACTERS or not (one.name.isascii() and one.name.isprintable()):
            # The message does not repeat the text, because it is untrusted.
            field = f"{FINDINGS_FIELD}.findings.name"
            words = f"{field} must be at most {MAX_NAME_CHARACTERS} printable ASCII characters"
            raise invalid_field(field, words, size=size, most=MAX_NAME_CHARACTERS)
        kind = member_of(RuntimeKind, device_pb2.RuntimeFindingKind, one.kind)
        found.add(RuntimeFinding(kind or RuntimeKind.OTHER, one.name))
    looked = (member_of(RuntimeKind, device_pb2.RuntimeFindingKind, kind) for kind in findings.looked_for)
    return RuntimeReport(
        looked_for=frozenset(kind for kind in looked if kind is not None), findings=frozenset(found)
    )


MAX_SCAN_MESSAGE_BYTES = 768 * 1024
"""Maximum message size of the device listener; scan.proto states it too."""

_MAX_SMALL_BYTES = 1024
_ROTATIONS: Final = (0, 90, 180, 270)
"""Degrees by the value on the wire."""
MAX_CAPABILITIES = 32
"""The capabilities of a start that are read; scan.proto states it too."""

_Parsed = TypeVar("_Parsed", bound=Message)


def to_inbound(request: scan_pb2.ScanFaceRequest) -> Inbound:
    """Convert a message of the device. Opaque parts are parsed, and their bytes are kept beside the result.

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
    stated = start.capabilities[:MAX_CAPABILITIES]
    named = (member_of(Capability, scan_pb2.Capability, one) for one in stated)
    return value_of(
        StartMessage,
        start,
        raw=raw,
        device=device_claim(start.device),
        camera=camera_claim(start.camera),
        capabilities=frozenset(one for one in named if one is not None),
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
    if header.rotation not in range(len(_ROTATIONS)):
        field = "frame.header.rotation"
        raise invalid_field(field, f"{field} is not 0, 90, 180 or 270 degrees")
    return value_of(
        FrameMessage,
        header,
        header=frame.header,
        image=frame.image,
        mac=frame.mac,
        rotation_degrees=_ROTATIONS[header.rotation],
        exposure=value_of(ExposureClaim, header.exposure) if header.HasField("exposure") else None,
    )


def _attempt_end(end: scan_pb2.AttemptEnd) -> AttemptEndMessage:
    body = _parse(scan_pb2.AttemptEndBody, end.body, "attempt_end.body", _MAX_SMALL_BYTES)
    return value_of(
        AttemptEndMessage,
        body,
        body=end.body,
        signature=end.signature,
        cause=member_of(EndCause, scan_pb2.AttemptEndBody.Cause, body.cause) or EndCause.COMPLETE,
    )


def _parse(kind: Callable[[], _Parsed], raw: bytes, field: str, limit: int) -> _Parsed:
    if len(raw) > limit:
        words = f"{field} has {len(raw)} bytes; at most {limit} are allowed"
        raise invalid_field(field, words, bytes=len(raw), maxBytes=limit)
    message = kind()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise invalid_field(field, f"{field} is not a serialised message of the expected type") from error
    return message


def to_response(message: Outbound) -> scan_pb2.ScanFaceResponse:
    """Convert a message to the device."""
    response = scan_pb2.ScanFaceResponse
    match message:
        case ChallengeMessage():
            return response(challenge=message_of(scan_pb2.Challenge, message))
        case AttemptStartMessage():
            return response(
                attempt_start=message_of(
                    scan_pb2.AttemptStart,
                    message,
                    expected_duration=duration(message.expected_seconds),
                    credit=message_of(scan_pb2.Credit, message.credit),
                    oval=_oval(message.oval),
                )
            )
        case CreditMessage():
            return response(credit=message_of(scan_pb2.Credit, message))
        case Feedback():
            return response(feedback=message_of(feedback_pb2.Feedback, message, message=HINTS[message.code]))
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
            return response(capture_pause=message_of(scan_pb2.CapturePause, message))
        case AdjustmentMessage():
            return response(capture_adjustment=message_of(scan_pb2.CaptureAdjustment, message))
        case CompleteMessage():
            return response(capture_complete=scan_pb2.CaptureComplete(attempt=message.attempt))
        case ScanResultMessage():
            ready = None if message.ready_within is None else duration(message.ready_within)
            return response(scan_result=message_of(scan_pb2.ScanResult, message, ready_within=ready))
        case GoodbyeMessage():
            after = None if message.reconnect_after is None else duration(message.reconnect_after)
            return response(goodbye=message_of(scan_pb2.Goodbye, message, reconnect_after=after))


def _flash_step(step: ColourStep) -> scan_pb2.FlashStep:
    return message_of(
        scan_pb2.FlashStep,
        step,
        step=step.number,
        color=message_of(scan_pb2.Rgb, step.colour),
        transition_duration=duration(step.transition_seconds),
        minimum_hold=duration(step.hold_seconds),
    )


def serialise_challenge(fields: ChallengeFields) -> bytes:
    """Serialise the ChallengeBody that is signed."""
    budget = fields.budget
    return message_of(
        scan_pb2.ChallengeBody,
        fields,
        oval=_oval(fields.oval),
        budget=message_of(
            scan_pb2.CaptureBudget, budget, max_attempt_duration=duration(budget.max_attempt_seconds)
        ),
        initial_credit=message_of(scan_pb2.Credit, fields.credit),
        attestation=scan_pb2.AttestationDemand(
            level=number_of(scan_pb2.AttestationDemand.Level, fields.attestation_level),
            grace=duration(fields.attestation_grace_seconds),
            runtime_findings=fields.runtime_findings,
        ),
    ).SerializeToString()


def _oval(oval: Oval) -> scan_pb2.Oval:
    return message_of(scan_pb2.Oval, oval, center_x=oval.centre_x, center_y=oval.centre_y)


def rotation_to_wire(degrees: int) -> int:
    """Return a clockwise rotation of 0, 90, 180 or 270 degrees."""
    return _ROTATIONS.index(degrees)
