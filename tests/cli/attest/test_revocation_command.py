"""``facegate attest revocation`` against a test server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.attest.command import app
from server.device.revocation import read_revocation_files

_LIST = b'{"entries": {"ab": {"status": "REVOKED"}}}'
runner = CliRunner()


class _Google(HTTPServer):
    """Answers with one list and set headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = _LIST
        self.sent: dict[str, str] = {}
        self.status = 200

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/attestation/status"


class _Handler(BaseHTTPRequestHandler):
    server: _Google

    def do_GET(self) -> None:
        self.send_response_only(self.server.status)
        for name, value in self.server.sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def google() -> Iterator[_Google]:
    """A server in a thread."""
    with _Google() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _run(*words: str) -> Any:
    return runner.invoke(app, ["revocation", *words])


def test_a_list_is_fetched_and_dated(google: _Google, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    result = _run(str(file), "--url", google.url)
    assert result.exit_code == 0
    assert file.read_bytes() == _LIST
    assert datetime.now(UTC) - read_revocation_files(file).fetched_at < timedelta(minutes=5)


def test_the_age_of_a_cached_list_includes_its_time_in_the_cache(google: _Google, tmp_path: Path) -> None:
    made = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
    google.sent = {"Date": format_datetime(made, usegmt=True), "Age": "3600"}
    assert _run(str(tmp_path / "s"), "--url", google.url).exit_code == 0
    assert read_revocation_files(tmp_path / "s").fetched_at == made - timedelta(hours=1)
    # A clock that runs ahead makes no list younger than now.
    google.sent = {"Date": format_datetime(made + timedelta(days=9), usegmt=True)}
    assert _run(str(tmp_path / "s"), "--url", google.url).exit_code == 0
    assert read_revocation_files(tmp_path / "s").fetched_at <= datetime.now(UTC)


@pytest.mark.parametrize(("status", "body"), [(500, _LIST), (200, b""), (200, b'{"entries": {}}')])
def test_a_bad_answer_leaves_the_old_list_in_place(
    google: _Google, tmp_path: Path, status: int, body: bytes
) -> None:
    file = tmp_path / "status.json"
    assert _run(str(file), "--url", google.url).exit_code == 0
    before = read_revocation_files(file)
    google.status, google.body = status, body
    assert _run(str(file), "--url", google.url).exit_code == 2
    assert read_revocation_files(file) == before


def test_an_invalid_address_is_refused(tmp_path: Path) -> None:
    assert _run(str(tmp_path / "s"), "--url", "file:///etc/passwd").exit_code == 2
    assert list(tmp_path.iterdir()) == []
