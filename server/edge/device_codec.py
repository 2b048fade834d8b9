"""Converts claims, evidence and run-time findings of devices from the wire; sizes are tested first."""

import math
from collections.abc import Mapping
from typing import Final

from facegate.v1 import device_pb2

from device_integrity import MAX_NAME_CHARACTERS, RuntimeFinding, RuntimeKind, RuntimeReport
from device_integrity.android import PlayTokenKind
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
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

__all__ = [
    "FINDINGS_FIELD",
    "MAX_FINDINGS_BYTES",
    "camera_claim",
    "device_claim",
    "to_evidence",
    "to_runtime_report",
]

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
