import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from facegate.v1 import scan_pb2
from typer.testing import CliRunner

from cli.demo import command as module
from cli.demo.command import demo
from cli.demo.scenarios import SCENARIOS, DemoRecord
from cli.errors import CommandError
from facegate_client import load_key_set, verify_result_jws
from facegate_protocol import sha256
from tests.cli.demo.builders import all_as_expected, judged
from tests.vision.packs.pulled_files import write_pulled_files
from vision.packs.catalogue import load_catalogue

app = typer.Typer()
app.command()(demo)


def outcome(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: tuple[DemoRecord, ...] | Exception
) -> tuple[int, str]:
    async def ended(*_: Any, **__: Any) -> tuple[DemoRecord, ...]:
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(module, "_demo", ended)
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "out")])
    return result.exit_code, result.output


def test_the_exit_status_is_the_verdict_on_the_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = all_as_expected()
    assert outcome(monkeypatch, tmp_path, good)[0] == 0
    assert outcome(monkeypatch, tmp_path, (*good, judged("static-photo")))[0] == 1


def test_a_demo_that_cannot_run_states_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status, output = outcome(monkeypatch, tmp_path, CommandError("no [such] pack"))
    assert status == 2
    assert "no [such] pack" in output


def test_an_output_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "file")])
    assert result.exit_code == 2


def facegate(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", *words],
        capture_output=True,
        text=True,
        timeout=600,
        env={name: value for name, value in os.environ.items() if not name.startswith("FACEGATE_")},
    )


def check_written_files(out: Path, *, pack: str) -> None:
    page = (out / "index.html").read_text(encoding="utf-8")
    assert f"What the {pack} pack detects" in page
    keys = load_key_set((out / "jwks.json").read_bytes())
    for scenario in SCENARIOS:
        assert f'id="{scenario.key}"' in page
        folder = out / scenario.key
        if scenario.scanned is None:
            assert not (folder / "result.json").exists()
            continue
        signed = verify_result_jws(
            (folder / "result.jws").read_text().strip(), keys, accept_sandbox=scenario.sandbox
        )
        assert signed.check_id == json.loads((folder / "result.json").read_text())["check_id"]
        assert signed.evidence_frame.sha256 == sha256((folder / "evidence.jpg").read_bytes())
        assert signed.pack.name == pack
        demanded = scenario.flashes and not scenario.doubt
        assert (signed.liveness.requested_mode == scan_pb2.MODE_DYNAMIC) is demanded
        # Where there may be doubt, a flash follows unless the networks are sure.
        flashed = demanded or (scenario.doubt and signed.liveness.used_mode == scan_pb2.MODE_DYNAMIC)
        assert (folder / "strip.svg").exists() is flashed
        assert not signed.pack.evaluation_only
    assert "Traceback" not in (out / "server.log").read_text()


# Scans run in real time: beside other tests, too few of a genuine person's frames are measured.
# `make demo`, which CI runs, is the demo without models.
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(1200)
def test_the_whole_demo_with_models_that_were_pulled(tmp_path: Path, assets: Path) -> None:
    out, models = tmp_path / "demo", tmp_path / "models"
    pack = load_catalogue().pack("open")
    assert pack is not None
    published = write_pulled_files(pack, assets, tmp_path / "published")
    pulled = facegate("models", "pull", "open", "--models-dir", str(models), "--mirror", str(published))
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    ran = facegate("demo", "--out", str(out), "--models-dir", str(models))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The pack is open, because it is the best pack in the models folder." in ran.stdout
    assert "Every outcome was as expected." in ran.stdout
    check_written_files(out, pack="open")
