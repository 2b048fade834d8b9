"""Converts portrait reports to and from ``facegate.v1.PortraitReport``."""

from facegate.v1 import verification_service_pb2 as service_pb2

from matcher import PortraitReport, Requirement, Severity
from matcher.conformance import Method

_SEVERITIES = {
    Severity.HARD: service_pb2.PortraitRequirement.SEVERITY_HARD,
    Severity.ADVISORY: service_pb2.PortraitRequirement.SEVERITY_ADVISORY,
}
_METHODS = {
    None: service_pb2.PortraitRequirement.METHOD_UNSPECIFIED,
    Method.STANDARD: service_pb2.PortraitRequirement.METHOD_STANDARD,
    Method.APPROXIMATION: service_pb2.PortraitRequirement.METHOD_APPROXIMATION,
}


def serialise_report(report: PortraitReport) -> bytes:
    """Serialises the report to the bytes that are stored with the check."""
    return service_pb2.PortraitReport(
        media_type=report.media_type,
        width=report.width,
        height=report.height,
        eye_distance_px=report.eye_distance_px,
        requirements=[_requirement(requirement) for requirement in report.requirements],
        container=report.container,
        notes=report.notes,
    ).SerializeToString(deterministic=True)


def parse_report(data: bytes) -> service_pb2.PortraitReport:
    """Parses stored bytes as the message."""
    report = service_pb2.PortraitReport()
    report.ParseFromString(data)
    return report


def _requirement(requirement: Requirement) -> service_pb2.PortraitRequirement:
    return service_pb2.PortraitRequirement(
        code=requirement.code.value,
        clause=requirement.clause,
        measured=requirement.measured,
        required=requirement.required,
        passed=requirement.passed,
        severity=_SEVERITIES[requirement.severity],
        score=requirement.score,
        method=_METHODS[requirement.method if requirement.score is not None else None],
        unassessed_reason=requirement.unassessed,
    )
