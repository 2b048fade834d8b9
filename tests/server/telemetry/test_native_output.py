"""What native code writes to file descriptor 2."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from server.telemetry.native_output import log_native_line

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
            {"event": "tls_handshake_failed", "level": "warning", "reason": "CERTIFICATE_VERIFY_FAILED"},
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
from server.settings import LogSettings
from server.telemetry.logging import configure_logging
from server.telemetry.native_output import log_native_output
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
