"""Portrait reports on the wire."""

from dataclasses import replace

from facegate.v1 import verification_service_pb2 as service_pb2

from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy, Severity
from server.edge.report_codec import parse_report, serialise_report
from tests.server.live import portrait, remembering_pack


def test_a_real_report_round_trip() -> None:
    report = accept_portrait(portrait(), pack=remembering_pack(), policy=PortraitPolicy()).report
    message = parse_report(serialise_report(report))
    assert (message.media_type, message.width, message.height) == (
        report.media_type,
        report.width,
        report.height,
    )
    assert message.eye_distance_px == report.eye_distance_px
    assert [requirement.code for requirement in message.requirements] == [
        requirement.code.lower() for requirement in report.requirements
    ]
    for sent, own in zip(message.requirements, report.requirements, strict=True):
        hard = own.severity is Severity.MANDATORY
        assert (sent.severity == service_pb2.PortraitRequirement.SEVERITY_HARD) is hard
        assert sent.passed is own.passed
        assert sent.required == own.required
        assert sent.measured.endswith(own.unit)
        assert sent.clause


def test_a_missed_requirement_is_said() -> None:
    report = accept_portrait(portrait(), pack=remembering_pack(), policy=PortraitPolicy()).report
    missed = replace(report, requirements=(replace(report.requirements[0], measured=3.0),))
    assert parse_report(serialise_report(missed)).requirements[0].passed is False
