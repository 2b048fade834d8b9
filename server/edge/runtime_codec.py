"""Converts the run-time findings that a device reports from the wire; sizes are tested first."""

from collections.abc import Mapping
from typing import Final

from facegate.v1 import device_pb2

from device_integrity import MAX_NAME_CHARACTERS, RuntimeFinding, RuntimeKind, RuntimeReport
from server.errors import Reason, Refusal

__all__ = ["FINDINGS_FIELD", "MAX_FINDINGS_BYTES", "to_runtime_report"]

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
