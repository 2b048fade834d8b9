"""Portrait reports as ``facegate.v1.PortraitReport``."""

from facegate.v1 import verification_service_pb2 as service_pb2

from matcher.portrait_report import PortraitReport, Severity

_SEVERITIES = {
    Severity.MANDATORY: service_pb2.PortraitRequirement.SEVERITY_HARD,
    Severity.ADVISORY: service_pb2.PortraitRequirement.SEVERITY_ADVISORY,
}


def serialise_report(report: PortraitReport) -> bytes:
    """The report as the bytes that are stored with the check."""
    return service_pb2.PortraitReport(
        media_type=report.media_type,
        width=report.width,
        height=report.height,
        eye_distance_px=report.eye_distance_px,
        requirements=[
            service_pb2.PortraitRequirement(
                code=requirement.code.lower(),
                clause=requirement.clause,
                measured=f"{requirement.measured:.1f} {requirement.unit}",
                required=requirement.required,
                passed=requirement.passed,
                severity=_SEVERITIES[requirement.severity],
            )
            for requirement in report.requirements
        ],
    ).SerializeToString(deterministic=True)


def parse_report(data: bytes) -> service_pb2.PortraitReport:
    """Stored bytes as the message."""
    report = service_pb2.PortraitReport()
    report.ParseFromString(data)
    return report
