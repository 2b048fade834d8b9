"""The texts of hints and refusals, and what the document says about reasons, results and messages."""

import re
from pathlib import Path

import pytest
from facegate.v1 import error_reason_pb2, feedback_pb2, scan_pb2

from cli.words import describe_lost_connection, describe_refusal, feedback_text
from facegate_client import ConnectionFailedError, ServerError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "device_protocol.md"

# Reasons that only an orchestrator can meet.
_ORCHESTRATORS = {*range(20, 60), *range(90, 100), *range(110, 120)}
_CALLERS = {"UNAUTHENTICATED", "PERMISSION_DENIED", "DEADLINE_EXCEEDED", "SERVER_OUTDATED"}


def _names(values: list[str], prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name in values if not name.endswith("_UNSPECIFIED")}


def test_a_hint_is_known_or_the_general_one() -> None:
    assert feedback_text(feedback_pb2.FEEDBACK_CODE_MOVE_CLOSER) == "Move closer."
    assert feedback_text(0) == feedback_text(9999) == "Keep your face in the oval."


def test_a_refusal_states_problem_expectation_and_remedy() -> None:
    text = describe_refusal(
        ServerError(
            code="RESOURCE_EXHAUSTED",
            reason="OVERLOADED",
            message="too many scans",
            metadata={"limit": "4"},
            retry_after_s=1.5,
        )
    )
    for part in ("OVERLOADED: too many scans", "limit: 4", "Retry after the delay", "wait 1.5 s"):
        assert part in text
    assert describe_refusal(ServerError(code="UNKNOWN", reason="", message="m")) == "UNKNOWN: m"
    stalled = describe_refusal(ServerError(code="DEADLINE_EXCEEDED", reason="", message="FinishCheck ..."))
    for part in ("DEADLINE_EXCEEDED: FinishCheck ...", "does not answer", "/readyz", "run the command again"):
        assert part in stalled


def test_a_server_that_lets_connect_and_never_answers_is_stalled() -> None:
    text = "UNAVAILABLE: ipv4:127.0.0.1:8444: connection attempt timed out before receiving SETTINGS frame"
    told = describe_lost_connection(ConnectionFailedError(text))
    assert told.startswith(f"{text}\n")
    assert "/readyz" in told
    assert "Correct the address" not in told


@pytest.fixture(scope="module")
def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def _rows(document: str, heading: str) -> dict[str, list[str]]:
    section = document.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line[:3] == "| `"
    ]
    return {re.sub("[`]", "", row[0]).strip(): row[1:] for row in cells}


def test_the_document_has_advice_for_every_reason_sent_to_devices(document: str) -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_")
        for name, number in error_reason_pb2.ErrorReason.items()
        if number and number not in _ORCHESTRATORS
    }
    assert set(_rows(document, "Errors")) == reasons - _CALLERS


def test_document_names_the_status_of_every_reason(document: str) -> None:
    proto = (DOCUMENT.parents[1] / "protos/facegate/v1/error_reason.proto").read_text(encoding="utf-8")
    flat = re.sub(r"\n\s*//", "", proto)
    pattern = re.compile(r"\[([A-Z_]+)[^\]]*\]\s+ERROR_REASON_([A-Z0-9_]+) =")
    statuses = {name: status for status, name in pattern.findall(flat)}
    for reason, row in _rows(document, "Errors").items():
        assert row[0].strip("`") == statuses[reason], reason


def test_document_shows_every_goodbye_and_every_result(document: str) -> None:
    reasons = _names(scan_pb2.Goodbye.Reason.keys(), "REASON_")
    assert set(_rows(document, "Goodbye")) == reasons
    assert {f"SCAN_STATUS_{name}" for name in _names(scan_pb2.ScanStatus.keys(), "SCAN_STATUS_")} == set(
        _rows(document, "Scan results")
    )


def test_document_names_every_message(document: str) -> None:
    for message in (scan_pb2.ScanFaceRequest, scan_pb2.ScanFaceResponse):
        for field in message.DESCRIPTOR.fields:
            assert f"`{field.name}`" in document, field.name
