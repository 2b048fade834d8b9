"""Texts of hints, refusals and portraits, and what the document says about reasons, results and messages."""

import re
import ssl
from pathlib import Path

import pytest
from facegate.v1 import error_reason_pb2, feedback_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from rich.console import Console

from cli.verify.scanning import ScanDisplay
from cli.words import (
    describe_lost_connection,
    describe_refusal,
    evidence_words,
    feedback_text,
    portrait_words,
)
from facegate_client import ConnectionFailedError, ServerError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "device_protocol.md"
REFERENCE = DOCUMENT.parent / "reference" / "device.md"

# Reasons that only an orchestrator can meet.
_ORCHESTRATORS = {*range(20, 60), *range(90, 100), *range(110, 150)}
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


def test_a_missing_scope_on_this_machine_is_not_the_end() -> None:
    refusal = ServerError(code="PERMISSION_DENIED", reason="PERMISSION_DENIED", message="m")
    assert "Use credentials that have the scope" in describe_refusal(refusal)
    here = describe_refusal(refusal, on_loopback=True)
    assert "the link for one log-in that `facegate serve` prints" in here
    assert "Use credentials" not in here


_REFUSED = "Failed to connect to remote host: Connection refused"


@pytest.mark.parametrize(
    ("text", "said", "unsaid"),
    [
        # A certificate of other names is no missing authority.
        ("UNAVAILABLE: Hostname Verification Check failed.", "for other names", "--ca"),
        # gRPC names one address of localhost: where nothing listens there, TLS may be at the other one.
        (f"UNAVAILABLE: ipv6:%5B::1%5D:8444: {_REFUSED}", "--ca", "/readyz"),
        (f"UNAVAILABLE: ipv4:127.0.0.1:8444: {_REFUSED}", "facegate serve", "--ca"),
        (
            "UNAVAILABLE: ipv4:127.0.0.1:8444: connection attempt timed out before receiving SETTINGS frame",
            "/readyz",
            "Correct the address",
        ),
    ],
)
def test_a_remedy_fits_the_cause_of_a_lost_connection(text: str, said: str, unsaid: str) -> None:
    told = describe_lost_connection(ConnectionFailedError(text))
    assert told.startswith(f"{text}\n")
    assert said in told
    assert unsaid not in told


@pytest.mark.parametrize("code", [62, 64])
def test_a_certificate_of_other_names_is_told_of_a_device_listener(code: int) -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code = code
    error = ConnectionFailedError("no trusted TLS connection to 127.0.0.1:8443")
    error.__cause__ = cause
    assert "for other names" in describe_lost_connection(error)
    cause.verify_code = 20
    assert "Give --ca" in describe_lost_connection(error)


_CONNECT = "UNAVAILABLE: failed to connect to all addresses; last error: UNKNOWN: ipv4:192.0.2.7:8443:"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("no Challenge within 10 seconds", "accepts connections but does not answer"),
        (f"{_CONNECT} timed out before receiving SETTINGS frame", "accepts connections but does not answer"),
        (f"{_CONNECT} Failed to connect to remote host: Connection refused", "no server listens there"),
        (f"{_CONNECT} Failed to connect to remote host: No route to host", "the server cannot be reached"),
        ("CANCELLED: Stream removed (RST_STREAM (with error code 8))", "connection broke"),
        (
            "STREAM_IDLE: nothing arrived for 10 seconds; reconnect with `resume`",
            "heard nothing for too long",
        ),
        ("NOT_SERVING: draining", "takes no scans now"),
        ("the server closed the stream without a result", "closed the stream without a result"),
    ],
)
def test_a_lost_connection_is_told_in_words(
    cause: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ScanDisplay(Console(width=200), shows_hints=False).connection_lost(2, 0.25, cause)
    told = capsys.readouterr().out
    assert words in told
    assert told.rstrip().endswith("Reconnect 2 in 0.2 s.")
    for internal in ("UNAVAILABLE", "192.0.2.7", "RST_STREAM", "SETTINGS", "`resume`"):
        assert internal not in told


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


def test_the_reference_has_advice_for_every_reason_sent_to_devices() -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_")
        for name, number in error_reason_pb2.ErrorReason.items()
        if number and number not in _ORCHESTRATORS
    }
    assert set(_rows(REFERENCE.read_text(encoding="utf-8"), "Errors")) == reasons - _CALLERS


def test_the_reference_names_the_status_of_every_reason() -> None:
    proto = (DOCUMENT.parents[1] / "protos/facegate/v1/error_reason.proto").read_text(encoding="utf-8")
    flat = re.sub(r"\n\s*//", "", proto)
    pattern = re.compile(r"\[([A-Z_]+)[^\]]*\]\s+ERROR_REASON_([A-Z0-9_]+) =")
    statuses = {name: status for status, name in pattern.findall(flat)}
    for reason, row in _rows(REFERENCE.read_text(encoding="utf-8"), "Errors").items():
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


_FRAME = result_pb2.EvidenceReference(sha256=b"e" * 32, attempt=1, frame_index=17)
_AUDIT = result_pb2.EvidenceReference(sha256=b"a" * 32, attempt=1, frame_index=3)


def requirement(code: str, passed: bool | None) -> service_pb2.PortraitRequirement:
    return service_pb2.PortraitRequirement(
        code=code, measured="1.0 deg", required="2 to 3 deg", passed=passed
    )


def test_only_missed_requirements_give_advice() -> None:
    good = service_pb2.PortraitReport(eye_distance_px=95.4, requirements=[requirement("head_pose_yaw", True)])
    assert portrait_words(good) == "Portrait accepted: eyes 95 pixels apart."
    report = service_pb2.PortraitReport(
        eye_distance_px=95.4,
        container="ISO/IEC 19794-5:2011",
        notes=["the record declares another size"],
        requirements=[
            requirement("head_pose_yaw", False),
            requirement("head_pose_roll", True),
            requirement("eyes_open", None),
            requirement("something_new", False),
        ],
    )
    assert portrait_words(report).splitlines() == [
        "Portrait accepted from ISO/IEC 19794-5:2011: eyes 95 pixels apart.",
        "  The head is turned to one side: look straight into the camera and retake the portrait. "
        "(head_pose_yaw: 1.0 deg, required: 2 to 3 deg)",
        "  A better image would meet this: (something_new: 1.0 deg, required: 2 to 3 deg)",
        "  Note: the record declares another size.",
    ]


def test_each_problem_and_the_shortfall_have_a_line() -> None:
    assert evidence_words(service_pb2.FinishCheckResponse()) == ()
    response = service_pb2.FinishCheckResponse(
        result=result_pb2.CheckResult(evidence_frame=_FRAME, audit_images=[_AUDIT]),
        evidence_problems=[
            service_pb2.EvidenceProblem(picture=_FRAME, kind=service_pb2.EvidenceProblem.KIND_ALTERED),
            service_pb2.EvidenceProblem(picture=_AUDIT, kind=service_pb2.EvidenceProblem.KIND_LOST),
        ],
        audit_image_shortfall=service_pb2.AUDIT_IMAGE_SHORTFALL_PROBLEMS,
    )
    first, second, third = evidence_words(response)
    assert "evidence frame (frame 17 of attempt 1)" in first
    assert "altered" in first
    assert "audit image (frame 3 of attempt 1)" in second
    assert "lost" in second
    assert "0 audit images" in third


def test_a_later_servers_words_are_shown_without_a_meaning() -> None:
    response = service_pb2.FinishCheckResponse(
        evidence_problems=[service_pb2.EvidenceProblem(picture=_AUDIT, kind=99)],  # type: ignore[arg-type]
        audit_image_shortfall=99,  # type: ignore[arg-type]
    )
    assert len(evidence_words(response)) == 2
