"""What became of one piece of evidence, and its form in the database."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any

from device_integrity.assurance import Assurance
from device_integrity.check import DeviceCheck, Manipulation, TestOutcome
from device_integrity.policy import AttestedFacts
from device_integrity.runtime import RuntimeFinding, RuntimeKind, RuntimeReport

__all__ = ["CLAIMS", "EvidenceFinding", "finding_from_bytes", "finding_to_bytes", "joined_report", "standing"]


CLAIMS = "claims"
"""In the place of a verifier: the decisive checks that a stream's start failed, before any evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFinding:
    """What became of one piece of evidence.

    Attributes:
        verifier: Who looked at it: the first part of its checks' names; ``unknown`` where nobody could,
            empty where the device said that there is none, and ``runtime`` where only a report came.
        checks: Every check.
        ceiling: The most assurance that it may give, where that is less than the verifier's.
        facts: What it says of the device, as far as it was verified.
        lasting_key: Mark (``stream.key_mark``) of a verified key that outlives the scan; ``None`` without
            one.
        scan_key: Mark of a verified key that was made for this scan; ``None`` without one.
        report: What the app says that it found, as it came with the evidence; ``None`` without.
    """

    verifier: str
    checks: tuple[DeviceCheck, ...]
    ceiling: Assurance | None = None
    facts: AttestedFacts = field(default_factory=AttestedFacts)
    lasting_key: bytes | None = None
    scan_key: bytes | None = None
    report: RuntimeReport | None = None

    @property
    def failed(self) -> bool:
        """Whether a check failed that decides alone."""
        return any(check.outcome is TestOutcome.FAIL and not check.soft for check in self.checks)


def standing(findings: tuple[EvidenceFinding, ...]) -> tuple[EvidenceFinding, ...]:
    """The findings that count: later evidence takes the place of earlier evidence of the same verifier.

    So a device may send anew what could not be looked at, or what it made for a stream that was lost. What
    failed stays: a later good piece does not undo a bad one.
    """
    last = {finding.verifier: at for at, finding in enumerate(findings)}
    return tuple(
        finding for at, finding in enumerate(findings) if finding.failed or last[finding.verifier] == at
    )


def joined_report(findings: Iterable[EvidenceFinding]) -> RuntimeReport | None:
    """All reports of a scan together, of evidence that no longer counts, too; ``None`` without any."""
    reports = [finding.report for finding in findings if finding.report is not None]
    return reduce(RuntimeReport.joined, reports) if reports else None


def finding_to_bytes(finding: EvidenceFinding) -> bytes:
    """JSON in UTF-8."""
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
    """The inverse of ``finding_to_bytes``."""
    document: dict[str, Any] = json.loads(data)
    ceiling = document["ceiling"]
    lasting, scan = document["lasting_key"], document["scan_key"]
    report = document.get("report")  # absent in what a server of an earlier version wrote
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


def _check(fields: dict[str, Any]) -> DeviceCheck:
    sign_of = fields["sign_of"]
    return DeviceCheck(
        **fields
        | {
            "outcome": TestOutcome(fields["outcome"]),
            "sign_of": None if sign_of is None else Manipulation(sign_of),
        }
    )
