"""Reports of apps from the wire: accepted and refused ones."""

import pytest
from facegate.v1 import device_pb2, scan_pb2
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.runtime import RuntimeFinding, RuntimeKind, RuntimeReport
from server.device.evidence import EvidenceUnavailable
from server.edge.runtime_codec import to_runtime_report
from server.edge.scan_codec import to_inbound
from server.errors import Reason, Refusal
from server.scan.messages import AttestationMessage

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
