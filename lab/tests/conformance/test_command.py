"""`facegate conformance`, as an author of an SDK calls it."""

import asyncio
import contextlib
import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner, Result

from cli.main import app
from lab.conformance.endpoint import Relay
from lab.conformance.rules import Rule, Violation
from lab.conformance.strict_stream import FlashBook
from lab.tests.conformance.playing import BY_NAME
from server.scan.messages import FrameMessage
from tests.ports import held_port

_ROOT = Path(__file__).resolve().parents[3]
_PAGE = _ROOT / "docs" / "device_protocol.md"


def _conformance(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["conformance", *arguments])


def test_it_lists_the_scenarios() -> None:
    listed = [line.split()[0] for line in _conformance("--list").stdout.splitlines()]
    assert listed == list(BY_NAME)
    assert f"{len(listed)} scenarios" in _PAGE.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--only", "nothing"),
        ("--run", "true", "--reference"),
        ("--reference", "--certificate", "none.pem"),
        ("--reference", "--only", "refused", "--out", "/nowhere/report.json"),
    ],
)
def test_options_that_cannot_be_used_are_reported(arguments: tuple[str, ...]) -> None:
    assert _conformance(*arguments).exit_code == 2


def test_a_client_that_does_not_connect_fails_at_once(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    assert _conformance("--run", "false", "--only", "success", "--out", str(out)).exit_code == 1
    report = json.loads(out.read_text())
    assert report["conforms"] is False
    assert report["scenarios"][0]["rule"] == "START_IN_TIME"
    assert "exit status 1" in report["scenarios"][0]["detail"]


def test_the_report_of_the_reference_client_is_written(tmp_path: Path) -> None:
    out, ticket = tmp_path / "report.json", tmp_path / "ticket.json"
    only = ("--only", "lost-line", "--only", "challenge-body")
    result = _conformance("--reference", *only, "--out", str(out), "--ticket", str(ticket))
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert report["conforms"] is True
    assert {row["scenario"]: row["outcome"] for row in report["scenarios"]} == {
        "challenge-body": "passed",
        "lost-line": "passed",
    }
    given = json.loads(ticket.read_text())
    assert len(bytes.fromhex(given["challenge_key_sha256"])) == 32
    assert given["scan_token"] not in out.read_text()


def test_the_client_states_the_key_of_the_servers_certificate(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    pem = tmp_path / "server.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(pem)
    result = _conformance("--reference", "--only", "success", "--certificate", str(pem))
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_program_is_started_for_each_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_ROOT)
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    out = tmp_path / "report.json"
    command = shlex.join([sys.executable, "-m", "lab.tests.conformance.one_scan"])
    names = ("success", "flash", "challenge-signature", "lost-after-end")
    only = [word for name in names for word in ("--only", name)]
    result = _conformance("--run", command, *only, "--out", str(out))
    report = json.loads(out.read_text())
    assert {row["scenario"]: row["outcome"] for row in report["scenarios"]} == {
        "success": "passed",
        "flash": "not applicable",
        "challenge-signature": "passed",
        "lost-after-end": "passed",
    }, report
    assert result.exit_code == 0


_FIELDS: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(FrameMessage)}


def _frame(at_ms: int, step: int, since_ms: int) -> FrameMessage:
    values = {"capture_time_us": at_ms * 1000, "flash_step": step, "flash_step_since_us": since_ms * 1000}
    return FrameMessage(**{**_FIELDS, **values})


def _shown(*frames: FrameMessage) -> FlashBook:
    book = FlashBook(flashing=True)
    for number in (1, 2, 3):
        book.reveal(scan_pb2.FlashStep(step=number, minimum_hold=Duration(nanos=400_000_000)), at=0.0)
    for frame in frames:
        book.accept(frame, captured=frame.capture_time_us / 1e6)
    return book


def test_a_step_during_which_nothing_was_captured_needs_no_frame() -> None:
    book = _shown(_frame(200, 1, 100), _frame(950, 3, 910))
    assert set(book.since_us) == {1, 3}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([_frame(600, 1, 100), _frame(960, 3, 940)], id="no time for the second"),
        pytest.param([_frame(105, 1, 100), _frame(810, 3, 800)], id="no time for both"),
        pytest.param([_frame(900, 2, 860), _frame(1400, 1, 1350)], id="backwards"),
    ],
)
def test_a_step_that_could_not_have_been_shown_is_missing(frames: list[FrameMessage]) -> None:
    with pytest.raises(Violation) as caught:
        _shown(*frames)
    assert caught.value.rule is Rule.FLASH_HOLD


async def test_a_connection_ends_when_the_target_is_away() -> None:
    with held_port() as nobody:
        relay = Relay()
        await relay.start(nobody)
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await relay.close()


async def test_closing_ends_connections_that_have_just_come() -> None:
    # What stays open is a ResourceWarning, and fails the test.
    far = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    for _ in range(20):
        relay = Relay()
        await relay.start(far.sockets[0].getsockname()[1])
        coming = [asyncio.create_task(asyncio.open_connection("127.0.0.1", relay.port)) for _ in range(8)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await relay.close()
        for met in await asyncio.gather(*coming, return_exceptions=True):
            if isinstance(met, tuple):
                met[1].close()
        await asyncio.sleep(0)
    far.close()
    await far.wait_closed()
