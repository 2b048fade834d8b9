"""`facegate conformance`, as an author of an SDK calls it."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.conformance.playing import BY_NAME

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
        ("--run", ""),
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
    result = _conformance(
        "--reference",
        "--only",
        "lost-line",
        "--only",
        "challenge-body",
        "--out",
        str(out),
        "--ticket",
        str(ticket),
    )
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
    command = shlex.join([sys.executable, "-m", "tests.cli.conformance.one_scan"])
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
