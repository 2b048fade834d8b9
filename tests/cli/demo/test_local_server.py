import os
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest

from cli.demo import local_server as module
from cli.demo.local_server import (
    FLASH_ALONE_POLICY,
    FLASH_POLICY,
    POLICY,
    LocalServer,
    local_server,
    open_tested,
)
from cli.errors import CommandError
from server.access.api_keys import load_api_keys
from server.configuration.loading import load_settings
from server.policies import load_policies
from simulator.devices import POLICY_NAME

SERVES = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).with_name("pid").write_text(
    f"{os.getpid()} {sorted(name for name in os.environ if name.startswith('FACEGATE_'))}"
)
print("something else", file=sys.stderr)
print("Facegate serves: device 127.0.0.1:1, service 127.0.0.1:2, admin port 3", file=sys.stderr, flush=True)
time.sleep(60)
"""
FAILS = "import sys; print('no such pack', file=sys.stderr); sys.exit(2)"
SILENT = "import time; time.sleep(60)"

open_server = partial(local_server, pack="open", models_dir=Path("/srv/models"))


def instead(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(module, "_COMMAND", (sys.executable, "-c", script))


async def test_the_server_reports_its_addresses_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, SERVES)
    monkeypatch.setenv("FACEGATE_PACK", "another")
    async with open_server(tmp_path, log=tmp_path / "log") as server:
        assert server == LocalServer(device="127.0.0.1:1", service="127.0.0.1:2", admin_port=3)
        assert server.jwks_url == "http://127.0.0.1:3/.well-known/jwks.json"
        pid, _, inherited = (tmp_path / "pid").read_text().partition(" ")
    assert inherited == "[]"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert "something else" in (tmp_path / "log").read_text()


async def test_the_port_for_pages_is_read_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, SERVES.replace("admin port 3", "admin port 3, web 127.0.0.1:4"))
    async with open_server(tmp_path, log=tmp_path / "log") as server:
        assert (server.admin_port, server.web) == (3, "127.0.0.1:4")


async def test_its_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, FAILS)
    for name in [name for name in os.environ if name.startswith("FACEGATE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(CommandError):
        async with open_server(tmp_path, log=tmp_path / "log"):
            pass
    settings = load_settings(tmp_path / "facegate.toml").settings
    assert settings.pack == "open"
    assert settings.models_dir == Path("/srv/models")
    assert settings.data_dir == tmp_path / "data"
    listeners = settings.listeners
    assert (listeners.device.port, listeners.service.port, listeners.admin.port) == (0, 0, 0)


async def test_the_last_words_of_a_server_that_ends_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, FAILS)
    with pytest.raises(CommandError, match="no such pack"):
        async with open_server(tmp_path, log=tmp_path / "log"):
            pass


async def test_a_server_that_stays_silent_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, SILENT)
    monkeypatch.setattr(module, "_START_SECONDS", 0.2)
    with pytest.raises(CommandError, match=r"within 0\.2 seconds"):
        async with open_server(tmp_path, log=tmp_path / "log"):
            pass


async def test_a_timeout_of_the_caller_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, SERVES)
    with pytest.raises(TimeoutError, match="of the caller"):
        async with open_server(tmp_path, log=tmp_path / "log"):
            raise TimeoutError("of the caller")


async def test_a_log_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        async with open_server(tmp_path, log=tmp_path / "missing" / "log"):
            pass


def test_the_shipped_policies_are_served_beside_its_own(tmp_path: Path) -> None:
    tested = open_tested(tmp_path / "platform")
    settings = tomllib.loads(tested.settings)
    served = load_policies(Path(settings["policies"]["folder"])).names
    assert {POLICY, FLASH_POLICY, FLASH_ALONE_POLICY, POLICY_NAME} <= set(served)
    root = settings["device_integrity"]["test_roots"]["android_spki_sha256"]
    assert root == [tested.platform.android_root_sha256.hex()]


def test_a_page_on_this_machine_may_scan(tmp_path: Path) -> None:
    settings = tomllib.loads(open_tested(tmp_path / "platform", page="http://localhost:8447").settings)
    assert settings["device_integrity"]["web"] == {"rp_id": "localhost", "origins": ["http://localhost:8447"]}


def test_one_of_its_callers_is_a_sandbox_caller(tmp_path: Path) -> None:
    tested = open_tested(tmp_path / "platform")
    settings = tomllib.loads(tested.settings)
    keys = load_api_keys(Path(settings["listeners"]["service"]["api_keys_file"]))
    found = [keys.find(key.value) for key in (tested.sandbox, tested.real)]
    assert [entry is not None and entry.caller.sandbox for entry in found] == [True, False]
    assert None not in found


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError):
        open_tested(tmp_path / "file" / "platform")
