"""Evidence of a device's platform as received, parsed and limited in size, and the finding on each piece."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any, Final, TypeAlias
from uuid import UUID

from device_integrity import (
    Assurance,
    DeviceFinding,
    DeviceTest,
    Manipulation,
    RuntimeFinding,
    RuntimeKind,
    RuntimeReport,
)
from device_integrity.android import PlayTokenKind
from device_integrity.policy import AttestedFacts

MAX_ATTESTATIONS: Final = 4
"""The maximum number of pieces of evidence in a scan, over all its streams."""
MAX_ATTESTATION_BYTES: Final = 64 * 1024
"""The size of the largest piece, in bytes."""


@dataclass(frozen=True, slots=True)
class AndroidKeyEvidence:
    """The certificate chain (DER, leaf first) and a signature; see ``facegate.v1.AndroidKeyAttestation``."""

    certificate_chain: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class PlayEvidence:
    """See ``facegate.v1.PlayIntegrityToken``; ``kind`` is ``None`` if the device did not state it."""

    kind: PlayTokenKind | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppAttestEvidence:
    """See ``facegate.v1.AppAttestAttestation``."""

    key_id: bytes
    attestation_object: bytes


@dataclass(frozen=True, slots=True)
class AppAttestAssertionEvidence:
    """See ``facegate.v1.AppAttestAssertion``."""

    key_id: bytes
    assertion: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAuthnEvidence:
    """See ``facegate.v1.WebAuthnEvidence``; with an attestation object it is a registration."""

    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class WebCryptoEvidence:
    """See ``facegate.v1.WebCryptoEvidence``."""

    public_key: bytes
    signature: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class EvidenceUnavailable:
    """The report that there is no evidence; ``reason`` is a name of ``AttestationUnavailable.Reason``."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownEvidence:
    """Evidence of a kind that this version does not know."""


DeviceEvidence: TypeAlias = (
    AndroidKeyEvidence
    | PlayEvidence
    | AppAttestEvidence
    | AppAttestAssertionEvidence
    | WebAuthnEvidence
    | WebCryptoEvidence
    | EvidenceUnavailable
    | UnknownEvidence
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceContext:
    """The stream in which evidence arrived.

    Attributes:
        scope: The name under which the keys of devices are stored; see ``server.base.sandbox``.
        subject: The orchestrator's reference to the person; may be empty.
        challenge: The bytes that the evidence must be made for, 32 bytes: the stream's binding hash H or, if
            a report came with the evidence, the evidence challenge E.
        session_public_key: SubjectPublicKeyInfo, DER.
        app_id: The app that the device states; may be empty.
        sandbox: Whether it is a sandbox check, in which test roots are trusted.
        header_origin: The stream's ``Origin`` header, which browsers set and scripts cannot change; ``None``
            without it.
        asks_apple: Whether a receipt may be exchanged with Apple; False if the policy ignores App Attest.
    """

    check_id: UUID
    scope: str
    subject: str
    challenge: bytes
    session_public_key: bytes
    app_id: str
    sandbox: bool
    header_origin: str | None = None
    asks_apple: bool = True


CLAIMS = "claims"
"""The ``verifier`` of a finding that holds the decisive tests that a stream's start failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFinding:
    """The finding on one piece of evidence.

    Attributes:
        verifier: The verifier, which is the first part of its tests' names; ``unknown`` if no verifier
            supports the evidence or the verifier failed, empty if the device reported that it has no
            evidence, and ``runtime`` if only a report came.
        ceiling: The highest assurance that it may give, if that is lower than the verifier's.
        facts: The verified facts about the device.
        lasting_key: Mark (``stream.key_mark``) of a verified key that outlives the scan; ``None`` without
            such a key.
        scan_key: Mark of a verified key that was made for this scan; ``None`` without such a key.
        report: The app's report of run-time findings that came with the evidence; ``None`` without a report.
    """

    verifier: str
    checks: tuple[DeviceTest, ...]
    ceiling: Assurance | None = None
    facts: AttestedFacts = field(default_factory=AttestedFacts)
    lasting_key: bytes | None = None
    scan_key: bytes | None = None
    report: RuntimeReport | None = None

    @property
    def failed(self) -> bool:
        """Whether a test failed that is not soft."""
        return any(check.outcome is DeviceFinding.FAIL and not check.soft for check in self.checks)


def counting_findings(findings: tuple[EvidenceFinding, ...]) -> tuple[EvidenceFinding, ...]:
    """Return the findings that count: later evidence replaces earlier evidence of the same verifier.

    A device may therefore repeat evidence that could not be verified, or that it made for a lost stream.
    Failed evidence always counts; later good evidence does not undo it.
    """
    last = {finding.verifier: at for at, finding in enumerate(findings)}
    return tuple(
        finding for at, finding in enumerate(findings) if finding.failed or last[finding.verifier] == at
    )


def joined_report(findings: Iterable[EvidenceFinding]) -> RuntimeReport | None:
    """Join all reports of a scan, even those of evidence that no longer counts; ``None`` without any."""
    reports = [finding.report for finding in findings if finding.report is not None]
    return reduce(RuntimeReport.joined, reports) if reports else None


def finding_to_bytes(finding: EvidenceFinding) -> bytes:
    """Return the finding as JSON in UTF-8."""
    return json.dumps(
        {
            "verifier": finding.verifier,
            "checks": [asdict(check) for check in finding.checks],
            "ceiling": finding.ceiling,
            "facts": asdict(finding.facts),
            "lasting_key": None if finding.lasting_key is None else finding.lasting_key.hex(),
            "scan_key": None if finding.scan_key is None else finding.scan_key.hex(),
            "report": None if finding.report is None else _report_to_json(finding.report),
        }
    ).encode()


def finding_from_bytes(data: bytes) -> EvidenceFinding:
    """Parse the bytes that ``finding_to_bytes`` returns."""
    document: dict[str, Any] = json.loads(data)
    ceiling = document["ceiling"]
    lasting, scan = document["lasting_key"], document["scan_key"]
    report = document["report"]
    return EvidenceFinding(
        verifier=document["verifier"],
        checks=tuple(_check(check) for check in document["checks"]),
        ceiling=None if ceiling is None else Assurance(ceiling),
        facts=AttestedFacts(**document["facts"]),
        lasting_key=None if lasting is None else bytes.fromhex(lasting),
        scan_key=None if scan is None else bytes.fromhex(scan),
        report=None if report is None else _report_from_json(report),
    )


def _report_to_json(report: RuntimeReport) -> dict[str, Any]:
    return {
        "looked_for": sorted(report.looked_for),
        "findings": sorted([found.kind, found.name] for found in report.findings),
    }


def _report_from_json(fields: dict[str, Any]) -> RuntimeReport:
    return RuntimeReport(
        looked_for=frozenset(map(RuntimeKind, fields["looked_for"])),
        findings=frozenset(RuntimeFinding(RuntimeKind(kind), name) for kind, name in fields["findings"]),
    )


def _check(fields: dict[str, Any]) -> DeviceTest:
    sign_of = fields["sign_of"]
    return DeviceTest(
        **fields
        | {
            "outcome": DeviceFinding(fields["outcome"]),
            "sign_of": None if sign_of is None else Manipulation(sign_of),
        }
    )
