import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from facegate.v1 import scan_pb2
from typer.testing import CliRunner

from cli.errors import CommandError
from facegate_client import load_key_set, verify_result_jws
from facegate_protocol import sha256
from lab.demo import command as module
from lab.demo import local_server as local_module
from lab.demo import pack as pack_module
from lab.demo.command import demo
from lab.demo.local_server import (
    FLASH_ALONE_POLICY,
    FLASH_POLICY,
    POLICY,
    LocalServer,
    local_server,
    open_tested,
)
from lab.demo.pack import ChosenPack, choose_pack
from lab.demo.scenarios import SCENARIOS, DemoRecord, mode_word
from lab.simulator.devices import POLICY_NAME
from lab.tests.demo.builders import PACK, all_as_expected, judged
from server.access.api_keys import load_api_keys
from server.configuration.loading import load_settings
from server.policies import load_policies
from tests.vision.packs.pulled_files import write_pulled_files
from vision.errors import PackFileAltered, PullError, VisionError
from vision.packs import Pack
from vision.packs.catalogue import CataloguePack, load_catalogue

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
    (tmp_path / "file").write_text("")
    assert CliRunner().invoke(app, ["--out", str(tmp_path / "file")]).exit_code == 2
    status, output = outcome(monkeypatch, tmp_path, CommandError("no [such] pack"))
    assert status == 2
    assert "no [such] pack" in output


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
    for scenario in SCENARIOS:
        if scenario.genuine:
            _, _, after = ran.stdout.partition(f"{mode_word(scenario)}: {scenario.title}\n")
            hints, _, _ = after.partition("✓")
            assert "GOOD" in hints
            for hint in ("SERVER_BUSY", "CAPTURE_TOO_SLOW", "TOO_BRIGHT"):
                assert hint not in hints, scenario.key
    check_written_files(out, pack="open")


SERVES = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).with_name("pid").write_text(
    f"{os.getpid()} {sorted(name for name in os.environ if name.startswith('FACEGATE_'))}"
)
print("something else", file=sys.stderr)
ports = "device 127.0.0.1:1, service 127.0.0.1:2, admin port 3, web 127.0.0.1:4"
print("Facegate serves:", ports, file=sys.stderr, flush=True)
time.sleep(60)
"""
FAILS = "import sys; print('no such pack', file=sys.stderr); sys.exit(2)"
SILENT = "import time; time.sleep(60)"

open_server = partial(local_server, pack="open", models_dir=Path("/srv/models"))


def instead(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(local_module, "_COMMAND", (sys.executable, "-c", script))


async def test_the_server_reports_its_addresses_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, SERVES)
    monkeypatch.setenv("FACEGATE_PACK", "another")
    async with open_server(tmp_path, log=tmp_path / "log") as server:
        assert server == LocalServer(
            device="127.0.0.1:1", service="127.0.0.1:2", admin_port=3, web="127.0.0.1:4"
        )
        assert server.jwks_url == "http://127.0.0.1:3/.well-known/jwks.json"
        pid, _, inherited = (tmp_path / "pid").read_text().partition(" ")
    assert inherited == "[]"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert "something else" in (tmp_path / "log").read_text()


async def test_last_words_are_reported_and_the_settings_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, FAILS)
    for name in [name for name in os.environ if name.startswith("FACEGATE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(CommandError, match="no such pack"):
        async with open_server(tmp_path, log=tmp_path / "log"):
            pass
    settings = load_settings(tmp_path / "facegate.toml").settings
    assert settings.pack == "open"
    assert settings.models_dir == Path("/srv/models")
    assert settings.data_dir == tmp_path / "data"
    listeners = settings.listeners
    assert (listeners.device.port, listeners.service.port, listeners.admin.port) == (0, 0, 0)


async def test_a_silent_server_and_a_log_that_cannot_be_written_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, SILENT)
    monkeypatch.setattr(local_module, "_START_SECONDS", 0.2)
    for log, problem in (
        (tmp_path / "log", r"within 0\.2 seconds"),
        (tmp_path / "missing" / "log", "cannot be"),
    ):
        with pytest.raises(CommandError, match=problem):
            async with open_server(tmp_path, log=log):
                pass


async def test_a_timeout_of_the_caller_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, SERVES)
    with pytest.raises(TimeoutError, match="of the caller"):
        async with open_server(tmp_path, log=tmp_path / "log"):
            raise TimeoutError("of the caller")


def test_it_trusts_its_platform_its_page_and_a_sandbox_caller_beside_the_shipped_policies(
    tmp_path: Path,
) -> None:
    tested = open_tested(tmp_path / "platform", page="http://localhost:8447")
    settings = tomllib.loads(tested.settings)
    served = load_policies(Path(settings["policies"]["folder"])).names
    assert {POLICY, FLASH_POLICY, FLASH_ALONE_POLICY, POLICY_NAME} <= set(served)
    root = settings["device_integrity"]["test_roots"]["android_spki_sha256"]
    assert root == [tested.platform.android_root_sha256.hex()]
    assert settings["device_integrity"]["web"] == {"rp_id": "localhost", "origins": ["http://localhost:8447"]}
    keys = load_api_keys(Path(settings["listeners"]["service"]["api_keys_file"]))
    found = [keys.find(key.value) for key in (tested.sandbox, tested.real)]
    assert [entry is not None and entry.caller.sandbox for entry in found] == [True, False]
    assert None not in found
    (tmp_path / "file").touch()
    with pytest.raises(CommandError):
        open_tested(tmp_path / "file" / "platform")


Pull = Callable[[CataloguePack], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def loading(monkeypatch: pytest.MonkeyPatch) -> dict[str, VisionError]:
    """Packs load if their folder exists; the returned table makes some of them fail."""
    broken: dict[str, VisionError] = {}

    def load_pack(spec: str, *, models_dir: Path) -> Pack:
        if spec in broken:
            raise broken[spec]
        assert spec == "embedded" or ":" in spec or (models_dir / spec).is_dir()
        return replace(PACK, name=spec)

    monkeypatch.setattr(pack_module, "load_pack", load_pack)
    return broken


async def choose(models_dir: Path, *, wanted: str | None = None, pull: Pull | None = None) -> ChosenPack:
    return await choose_pack(wanted, models_dir, pull=pull or failing)


def pulling(models_dir: Path, asked: list[str]) -> Pull:
    async def pull(pack: CataloguePack) -> None:
        asked.append(pack.name)
        (models_dir / pack.name).mkdir()

    return pull


async def failing(pack: CataloguePack) -> None:
    raise PullError(f"{pack.name}: no network")


async def test_an_installed_pack_comes_first_and_nothing_is_pulled(tmp_path: Path) -> None:
    (tmp_path / "buffalo_s").mkdir()
    (tmp_path / "open").mkdir()
    asked: list[str] = []
    chosen = await choose(tmp_path, pull=pulling(tmp_path, asked))
    assert (chosen.spec, chosen.pack.name, asked) == ("open", "open", [])
    assert "models folder" in chosen.why


async def test_an_altered_pack_is_skipped_and_reported(
    tmp_path: Path, loading: dict[str, VisionError]
) -> None:
    (tmp_path / "buffalo_s").mkdir()
    (tmp_path / "open").mkdir()
    loading["open"] = PackFileAltered(name="x.onnx", expected="0" * 64, found="1" * 64)
    chosen = await choose(tmp_path)
    assert chosen.spec == "buffalo_s"
    assert "0" * 64 in chosen.obstacles[0]


async def test_an_empty_folder_makes_it_pull(tmp_path: Path) -> None:
    asked: list[str] = []
    chosen = await choose(tmp_path, pull=pulling(tmp_path, asked))
    assert (chosen.spec, asked) == ("open", ["open"])
    assert "pulled" in chosen.why


async def test_the_last_resort_needs_no_files(tmp_path: Path) -> None:
    chosen = await choose(tmp_path, pull=failing)
    assert chosen.spec == "embedded"
    assert "could not be pulled" in chosen.why
    assert chosen.obstacles == ("open: no network",)


async def test_a_named_pack_is_used_or_refused(tmp_path: Path, loading: dict[str, VisionError]) -> None:
    (tmp_path / "open").mkdir()
    assert (await choose(tmp_path, wanted="insightface:/srv/models")).spec == "insightface:/srv/models"
    loading["open"] = VisionError("broken")
    with pytest.raises(CommandError, match="broken"):
        await choose(tmp_path, wanted="open")


async def test_a_pack_that_cannot_meet_the_policy_is_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_module, "TRIAL_POLICY", "high")
    with pytest.raises(CommandError, match="cannot meet"):
        await choose(tmp_path, wanted="embedded")
