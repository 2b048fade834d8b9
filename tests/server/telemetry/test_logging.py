"""Log lines, those that callers can cause at will, and those of native code."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from server.configuration.settings import LogFormat, LogLevel, LogSettings
from server.domain.terms import CheckState
from server.telemetry.logging import FloodFilter, configure_logging, log_native_line, redact, suppressed_lines
from tests.logs import log_plainly


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    log_plainly()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(**settings: Any) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(LogSettings(**settings), stream=stream)
    return stream


def test_a_line_is_one_json_object_with_its_context() -> None:
    stream = configured()
    structlog.contextvars.bind_contextvars(call="ScanFace")
    structlog.get_logger("server.scan").info("check_decided", check_id=UUID(int=5), state=CheckState.DECIDED)
    (line,) = lines(stream)
    assert line["event"] == "check_decided"
    assert line["call"] == "ScanFace"
    assert line["check_id"] == "00000000-0000-0000-0000-000000000005"
    assert (line["level"], line["logger"]) == ("info", "server.scan")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    ["token", "scan_token", "key", "api_key", "session_key", "embedding", "image", "evidence_image",
     "template", "portrait_template", "Authorization", "password", "frame"],
)  # fmt: skip
def test_values_with_a_sensitive_name_are_not_logged(name: str) -> None:
    stream = configured()
    structlog.get_logger().info("x", **{name: "hunter2", "detail": {name: ["hunter2"]}})
    assert "hunter2" not in stream.getvalue()
    (line,) = lines(stream)
    assert line[name] == "[redacted]"


def test_bytes_and_arrays_are_never_logged() -> None:
    stream = configured()
    structlog.get_logger().info(
        "x", data=b"hunter2", more=[b"hunter2"], vector=np.full(3, 123.25, dtype=np.float32), thing=object()
    )
    (line,) = lines(stream)
    assert (line["data"], line["more"], line["vector"]) == ("[bytes]", ["[bytes]"], "[ndarray]")
    assert line["thing"] == "[object]"


def test_harmless_entries_stay() -> None:
    event = {"object_key": "evidence/1", "frames": 12, "images_kept": 3, "key_id": "a", "port": 1, "ok": True}
    assert redact(None, "info", dict(event)) == event


def test_a_traceback_is_logged_without_local_variables() -> None:
    for form in LogFormat:
        stream = configured(format=form)
        try:
            secret = "hunter2"
            raise ValueError(f"{len(secret)} characters")
        except ValueError:
            structlog.get_logger().exception("failed")
        assert "ValueError: 7 characters" in stream.getvalue()
        assert "hunter2" not in stream.getvalue().replace('secret = "hunter2"', "")


def test_lines_of_libraries_take_the_same_way() -> None:
    stream = configured()
    logging.getLogger("grpc").warning("connection %s", "lost")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("connection lost", "grpc", "warning")


def test_the_level_is_the_least_that_is_logged() -> None:
    stream = configured(level=LogLevel.ERROR)
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_debug_logging_does_not_turn_on_grpcs_own_debug_lines() -> None:
    configured(level=LogLevel.DEBUG)
    assert logging.getLogger("server.running.app").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("grpc._cython.cygrpc").isEnabledFor(logging.DEBUG)


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _configured(clock: _Clock) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream=stream)
    (handler,) = logging.getLogger().handlers
    for found in list(handler.filters):
        handler.removeFilter(found)
    handler.addFilter(FloodFilter(monotonic=clock))
    return stream


def _events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def test_the_filter_is_in_place() -> None:
    configure_logging(LogSettings(), stream=io.StringIO())
    (handler,) = logging.getLogger().handlers
    assert [type(found) for found in handler.filters] == [FloodFilter]


def test_refusals_are_logged_by_rate_and_the_rest_is_counted_once_a_minute() -> None:
    clock, before = _Clock(), suppressed_lines()
    stream = _configured(clock)
    log = structlog.get_logger("server.edge")
    for _ in range(1000):
        log.info("call_refused", reason="TOKEN_INVALID", method="m")
    assert _events(stream) == ["call_refused"] * 50
    assert suppressed_lines() - before == 950
    log.info("call_refused", reason="UNAUTHENTICATED")
    assert len(_events(stream)) == 51
    clock.now = 61.0
    log.info("check_decided")
    assert _events(stream)[51:] == ["log_lines_suppressed", "check_decided"]
    summary = json.loads(stream.getvalue().splitlines()[51])
    assert (summary["kind"], summary["lines"]) == ("call_refused TOKEN_INVALID", 950)
    # A minute later some lines are logged again.
    log.info("call_refused", reason="TOKEN_INVALID")
    assert _events(stream)[-1] == "call_refused"


@pytest.mark.parametrize("event", ["evidence_problem", "picture_not_kept"])
def test_lost_pictures_that_are_fetched_again_and_again_have_a_rate(event: str) -> None:
    stream = _configured(_Clock())
    for _ in range(500):
        structlog.get_logger("server.checks").error(event, check_id="c", problem="LOST")
    assert _events(stream) == [event] * 50


def test_lines_that_no_caller_causes_are_always_logged() -> None:
    stream = _configured(_Clock())
    for _ in range(500):
        structlog.get_logger("server.checks").info("check_decided", reason="x")
    assert len(_events(stream)) == 500


def test_libraries_have_a_rate() -> None:
    stream = _configured(_Clock())
    for number in range(500):
        logging.getLogger("asyncio").error("socket.accept() out of system resource %d", number)
    assert len(_events(stream)) == 50


_PREFIX = "I1128 06:00:23.961351    4388 ssl_transport_security.cc:2563] "
_FAILED = f"{_PREFIX}Handshake failed with error SSL_ERROR_SSL: error:100000c0:SSL routines:OPENSSL_internal:"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"{_FAILED}PEER_DID_NOT_RETURN_A_CERTIFICATE: Invalid certificate verification context",
            {
                "event": "tls_handshake_failed",
                "level": "warning",
                "reason": "PEER_DID_NOT_RETURN_A_CERTIFICATE",
            },
        ),
        (
            f"{_FAILED}CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
            {
                "event": "tls_handshake_failed",
                "level": "warning",
                "reason": "CERTIFICATE_VERIFY_FAILED",
                "why": "the certificate cannot be verified: unable to get local issuer certificate",
            },
        ),
        (
            f"{_FAILED}WRONG_VERSION_NUMBER: x",
            {"event": "tls_handshake_failed", "level": "info", "reason": "OTHER"},
        ),
        (
            f"{_PREFIX.replace('I', 'E', 1)}something else",
            {"event": "native_output", "level": "error", "text": "something else"},
        ),
        ("double free", {"event": "native_output", "level": "warning", "text": "double free"}),
        ("x" * 9_000, {"event": "native_output", "text": "x" * 500}),
    ],
    ids=["none shown", "not trusted", "no TLS", "gRPC", "another library", "long"],
)
def test_a_native_line_is_a_line_of_the_log(line: str, expected: dict[str, str]) -> None:
    with capture_logs() as logged:
        log_native_line(line)
    (entry,) = logged
    shown = {"level": entry["log_level"], **entry}
    assert {name: shown[name] for name in expected} == expected


@given(st.text())
def test_any_line_is_at_most_one_line_of_the_log(line: str) -> None:
    with capture_logs() as logged:
        log_native_line(line)
    assert len(logged) == bool(line.strip())


_PROGRAM = r"""
import os, sys
from server.configuration.settings import LogSettings
from server.telemetry.logging import configure_logging
from server.telemetry.logging import log_native_output
log_native_output()
configure_logging(LogSettings(format="json"))
import typer
typer.echo("Facegate serves", err=True)
print("plain", file=sys.stderr)
for number in range(20_000):
    try:
        os.write(2, b"flood\n")
    except BlockingIOError:
        pass  # Instead of waiting for a reader that cannot keep up.
while True:
    try:
        os.write(2, b"last\xff words")
        break
    except BlockingIOError:
        pass
"""


@pytest.mark.slow
def test_native_lines_go_to_the_log_and_pythons_where_they_went() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True)
    assert done.stdout == ""
    plain = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert plain == ["Facegate serves", "plain"]
    # A flood is thinned out, and blocks nobody.
    assert 1 <= len(logged) <= 100
    assert {entry["event"] for entry in logged} <= {"native_output", "log_lines_suppressed"}
