"""Claims and evidence from the wire: every part within its limit, or a typed refusal."""

import math
from contextlib import suppress

import pytest
from facegate.v1 import device_pb2, scan_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.android import PlayTokenKind
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
from device_integrity.runtime import RuntimeFinding, RuntimeKind, RuntimeReport
from server.base.errors import Reason, Refusal
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
from server.edge.scan_codec import camera_claim, device_claim, to_evidence, to_inbound, to_runtime_report
from server.scan.messages import AttestationMessage

_Attestation = device_pb2.Attestation
_KEY = bytes(32)


@pytest.mark.parametrize(
    ("message", "evidence"),
    [
        (
            _Attestation(
                android_key=device_pb2.AndroidKeyAttestation(certificate_chain=[b"a", b"b"], signature=b"s")
            ),
            AndroidKeyEvidence((b"a", b"b"), b"s"),
        ),
        (
            _Attestation(
                play_integrity=device_pb2.PlayIntegrityToken(
                    kind=device_pb2.PlayIntegrityToken.KIND_STANDARD, token="t"
                )
            ),
            PlayEvidence(PlayTokenKind.STANDARD, "t"),
        ),
        (
            _Attestation(play_integrity=device_pb2.PlayIntegrityToken(token="t")),
            PlayEvidence(None, "t"),
        ),
        (
            _Attestation(
                app_attest=device_pb2.AppAttestAttestation(key_id=_KEY, attestation_object=b"object")
            ),
            AppAttestEvidence(_KEY, b"object"),
        ),
        (
            _Attestation(
                app_attest_assertion=device_pb2.AppAttestAssertion(key_id=_KEY, assertion=b"assertion")
            ),
            AppAttestAssertionEvidence(_KEY, b"assertion"),
        ),
        (
            _Attestation(web_authn=device_pb2.WebAuthnEvidence(credential_id=b"c", signature=b"s")),
            WebAuthnEvidence(
                credential_id=b"c",
                client_data_json=b"",
                attestation_object=b"",
                authenticator_data=b"",
                signature=b"s",
            ),
        ),
        (
            _Attestation(
                web_crypto=device_pb2.WebCryptoEvidence(public_key=b"k", signature=b"s", origin="o")
            ),
            WebCryptoEvidence(b"k", b"s", "o"),
        ),
        (
            _Attestation(
                unavailable=device_pb2.AttestationUnavailable(
                    reason=device_pb2.AttestationUnavailable.REASON_TIMED_OUT
                )
            ),
            EvidenceUnavailable("TIMED_OUT"),
        ),
        (_Attestation(), UnknownEvidence()),
    ],
)
def test_each_kind_of_evidence_is_decoded(message: device_pb2.Attestation, evidence: DeviceEvidence) -> None:
    assert to_evidence(message) == evidence


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (
            _Attestation(android_key=device_pb2.AndroidKeyAttestation(certificate_chain=[b"c"] * 11)),
            "attestation.android_key.certificate_chain",
        ),
        (
            _Attestation(android_key=device_pb2.AndroidKeyAttestation(certificate_chain=[bytes(8193)])),
            "attestation.android_key.certificate_chain",
        ),
        (
            _Attestation(android_key=device_pb2.AndroidKeyAttestation(signature=bytes(257))),
            "attestation.android_key.signature",
        ),
        (
            _Attestation(app_attest=device_pb2.AppAttestAttestation(key_id=bytes(31))),
            "attestation.app_attest.key_id",
        ),
        (
            _Attestation(app_attest_assertion=device_pb2.AppAttestAssertion(key_id=bytes(33))),
            "attestation.app_attest_assertion.key_id",
        ),
        (
            _Attestation(
                app_attest_assertion=device_pb2.AppAttestAssertion(key_id=_KEY, assertion=bytes(4097))
            ),
            "attestation.app_attest_assertion.assertion",
        ),
        (
            _Attestation(web_authn=device_pb2.WebAuthnEvidence(credential_id=bytes(1024))),
            "attestation.web_authn.credential_id",
        ),
        (
            _Attestation(web_crypto=device_pb2.WebCryptoEvidence(origin="ä" * 129)),
            "attestation.web_crypto.origin",
        ),
        (
            _Attestation(unavailable=device_pb2.AttestationUnavailable(platform_error="e" * 129)),
            "attestation.unavailable.platform_error",
        ),
    ],
)
def test_a_part_that_is_not_of_its_size_is_refused(message: device_pb2.Attestation, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        to_evidence(message)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == field


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
