"""Converts the claims and evidence of test devices to messages of the protocol."""

from typing import assert_never

from facegate.v1 import device_pb2

from device_integrity import RuntimeReport
from device_integrity.camera import CameraClaim, DeviceClaim
from simulator.devices import (
    AppAttestAssertion,
    AppAttestEnrolment,
    Evidence,
    KeyChain,
    PlayToken,
    WebCryptoProof,
)

__all__ = ["attestation_of", "camera_profile_of", "device_profile_of", "runtime_findings_of"]


def attestation_of(evidence: Evidence) -> device_pb2.Attestation:
    """Returns the message of a piece of evidence."""
    match evidence:
        case KeyChain(certificates=certificates, signature=signature):
            return device_pb2.Attestation(
                android_key=device_pb2.AndroidKeyAttestation(
                    certificate_chain=certificates, signature=signature
                )
            )
        case PlayToken(token=token):
            kind = device_pb2.PlayIntegrityToken.KIND_CLASSIC
            return device_pb2.Attestation(
                play_integrity=device_pb2.PlayIntegrityToken(kind=kind, token=token)
            )
        case AppAttestEnrolment(key_id=key_id, attestation_object=attestation):
            return device_pb2.Attestation(
                app_attest=device_pb2.AppAttestAttestation(key_id=key_id, attestation_object=attestation)
            )
        case AppAttestAssertion(key_id=key_id, assertion=assertion):
            return device_pb2.Attestation(
                app_attest_assertion=device_pb2.AppAttestAssertion(key_id=key_id, assertion=assertion)
            )
        case WebCryptoProof(public_key=key, signature=signature, origin=origin):
            return device_pb2.Attestation(
                web_crypto=device_pb2.WebCryptoEvidence(public_key=key, signature=signature, origin=origin)
            )
        case _:
            assert_never(evidence)


def device_profile_of(claim: DeviceClaim) -> device_pb2.DeviceProfile:
    """Returns the message of a device's claim."""
    return device_pb2.DeviceProfile(
        platform=device_pb2.Platform.Value(f"PLATFORM_{claim.platform}"),
        manufacturer=claim.manufacturer,
        model=claim.model,
        os_version=claim.os_version,
        app_id=claim.app_id,
        app_version="1.0",
        sdk_version="facegate test device",
    )


def camera_profile_of(claim: CameraClaim) -> device_pb2.CameraProfile:
    """Returns the message of a device's claim on its camera."""
    return device_pb2.CameraProfile(
        id=claim.id,
        label=claim.label,
        facing=device_pb2.CameraFacing.Value(f"CAMERA_FACING_{claim.facing}"),
        width=claim.width,
        height=claim.height,
        frames_per_second=claim.frames_per_second,
        sensor_orientation_degrees=claim.sensor_orientation_degrees,
        hardware_level=claim.hardware_level,
        transport=claim.transport,
        focal_lengths_mm=claim.focal_lengths_mm,
        timestamp_source=claim.timestamp_source,
    )


def runtime_findings_of(report: RuntimeReport) -> device_pb2.RuntimeFindings:
    """Returns the message of an app's run-time findings."""
    kind = device_pb2.RuntimeFindingKind
    return device_pb2.RuntimeFindings(
        looked_for=sorted(kind.Value(f"RUNTIME_FINDING_KIND_{looked}") for looked in report.looked_for),
        findings=[
            device_pb2.RuntimeFinding(kind=kind.Value(f"RUNTIME_FINDING_KIND_{found.kind}"), name=found.name)
            for found in sorted(report.findings, key=lambda one: (one.kind, one.name))
        ],
    )
