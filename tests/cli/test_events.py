"""What ``facegate events`` prints."""

import io

import pytest
from facegate.v1 import event_service_pb2 as event_pb2
from rich.console import Console
from typer.testing import CliRunner

from cli.events import _events_table
from cli.main import app
from tests.ports import held_port


@pytest.mark.parametrize("width", [100, 200])
def test_identifiers_and_times_are_never_broken(width: int) -> None:
    event = event_pb2.Event(
        event_id="0b7ab3a5-5a8f-4d0e-8f0c-6f8e7a3c7a11",
        endpoint="backend",
        type="check.scan_started",
        check_id="8366b788-9c1b-42af-b63f-d9078de4adac",
        state=event_pb2.EVENT_STATE_WAITING,
        answer="its address 10.0.0.1 is not public, and allow_private is not set",
    )
    event.create_time.FromJsonString("2026-11-29T19:21:25Z")
    event.next_time.FromJsonString("2026-11-29T19:26:44Z")
    console = Console(width=width, file=io.StringIO())
    console.print(_events_table([event], narrow=width < 200))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for word in (event.event_id, event.check_id, "2026-11-29 19:21:25", "2026-11-29 19:26:44"):
        assert word in printed


def test_an_address_with_a_scheme_is_refused() -> None:
    words = ["events", "list", "--service", "http://127.0.0.1:8444"]
    run = CliRunner().invoke(app, words, catch_exceptions=False)
    assert run.exit_code == 2
    assert "'http://127.0.0.1:8444' is not host:port" in " ".join(run.stderr.split())


@pytest.mark.usefixtures("short_waits")
def test_a_malformed_proxy_is_no_matter_of_a_server_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("grpc_proxy", "http://[::1")
    with held_port() as port:
        words = ["events", "list", "--service", f"localhost:{port}"]
        run = CliRunner().invoke(app, words, catch_exceptions=False)
    assert run.exit_code == 2
    assert "`facegate serve`" in run.stderr
    assert "proxy" not in run.stderr
