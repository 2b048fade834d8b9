"""Portrait reports on the wire."""

from dataclasses import replace

import pytest
from facegate.v1 import verification_service_pb2 as service_pb2

from matcher.conformance.interface import Component, Method
from matcher.conformance.requirement import IntakeCode
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy, PortraitReport, Severity
from server.edge.report_codec import parse_report, serialise_report
from tests.server.live import portrait
from tests.server.models_once import remembering_pack

_WIRE = service_pb2.PortraitRequirement


@pytest.fixture(scope="module")
def report() -> PortraitReport:
    return accept_portrait(portrait(), pack=remembering_pack(), policy=PortraitPolicy()).report


def test_a_real_report_survives_a_round_trip(report: PortraitReport) -> None:
    message = parse_report(serialise_report(report))
    assert (message.media_type, message.width, message.height) == (
        report.media_type,
        report.width,
        report.height,
    )
    assert message.eye_distance_px == report.eye_distance_px
    assert (message.container, list(message.notes)) == ("", [])
    assert [requirement.code for requirement in message.requirements] == [
        requirement.code.value for requirement in report.requirements
    ]
    for sent, own in zip(message.requirements, report.requirements, strict=True):
        assert (sent.severity == _WIRE.SEVERITY_HARD) is (own.severity is Severity.HARD)
        assert (sent.passed if sent.HasField("passed") else None) is own.passed
        assert (sent.score if sent.HasField("score") else None) == own.score
        assert (sent.required, sent.measured) == (own.required, own.measured)
        assert sent.clause
        assert bool(sent.unassessed_reason) is (own.passed is None)


def test_a_score_names_its_algorithm(report: PortraitReport) -> None:
    sent = {each.code: each for each in parse_report(serialise_report(report)).requirements}
    assert sent[Component.HEAD_SIZE].method == _WIRE.METHOD_STANDARD
    assert sent[Component.EXPRESSION_NEUTRALITY].method == _WIRE.METHOD_APPROXIMATION
    assert sent[IntakeCode.FILE_SIZE].method == _WIRE.METHOD_UNSPECIFIED
    unassessed = sent[Component.UNIFIED_QUALITY_SCORE]
    assert unassessed.method == _WIRE.METHOD_UNSPECIFIED
    assert not unassessed.HasField("passed")
    assert not unassessed.HasField("score")
    assert (unassessed.measured, bool(unassessed.unassessed_reason)) == ("", True)
    own = {each.code: each for each in report.requirements}
    assert own[Component.UNIFIED_QUALITY_SCORE].method is Method.STANDARD


def test_a_missed_requirement_and_a_record_are_encoded(report: PortraitReport) -> None:
    missed = replace(
        report,
        requirements=(replace(report.requirements[0], passed=False),),
        container="ISO/IEC 19794-5:2011 in ICAO DG2",
        notes=("a note",),
    )
    message = parse_report(serialise_report(missed))
    assert message.requirements[0].HasField("passed")
    assert message.requirements[0].passed is False
    assert message.container == "ISO/IEC 19794-5:2011 in ICAO DG2"
    assert list(message.notes) == ["a note"]
