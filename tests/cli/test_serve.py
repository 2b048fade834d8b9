"""A server that cannot start reports the cause in one line."""

import inspect
import json
import os
import shutil
import subprocess
import sys
import time
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest

from cli.serve import _CANNOT_START

_PROGRAM = "import typer; from cli.serve import serve; typer.run(serve)"


def _environment(tmp_path: Path, pack: str) -> dict[str, str]:
    ports = {f"FACEGATE_LISTENERS__{name}__PORT": "0" for name in ("DEVICE", "SERVICE", "ADMIN", "CONSOLE")}
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "FACEGATE_PACK": pack,
        "FACEGATE_MODELS_DIR": str(tmp_path),
        "FACEGATE_DATA_DIR": str(tmp_path / "data"),
    }
    return {**os.environ, **ports, **settings}


def _serve(tmp_path: Path, pack: str, **more: str) -> tuple[int, str]:
    """Exit status and last line of a server with the models folder ``tmp_path``."""
    outcome = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=tmp_path,
        env=_environment(tmp_path, pack) | more,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert "Traceback" not in outcome.stderr
    return outcome.returncode, outcome.stderr.strip().splitlines()[-1]


def _lines_until(words: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """What a server logs that is stopped once it has said these words."""
    log = folder / "log"
    with (
        log.open("w") as stream,
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], cwd=folder, env=environment, stderr=stream, stdout=stream
        ) as process,
    ):
        deadline = time.monotonic() + 90
        while words not in log.read_text() and process.poll() is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        process.terminate()
        assert process.wait(timeout=60) == 0, log.read_text()
    return log.read_text().splitlines()


@pytest.mark.slow
def test_a_pack_for_evaluation_that_no_setting_allows(tmp_path: Path) -> None:
    """The default policy is EXPRESS. A settings file makes a server an operator's."""
    config = tmp_path / "facegate.toml"
    config.write_text("drain_seconds = 1.0\n")
    config.chmod(0o600)
    status, line = _serve(tmp_path, "embedded", FACEGATE_CONFIG=str(config))
    assert status == 2
    assert line.startswith(
        "The server cannot start: the default policy standard cannot be met by the pack embedded: it is an "
        "EXPRESS policy, and the pack is for evaluation only. "
    )
    assert line.endswith("or set allow_evaluation_pack = true")


@pytest.mark.slow
def test_the_default_server_states_that_its_pack_is_for_evaluation(tmp_path: Path) -> None:
    lines = _lines_until(
        "The pack embedded is for evaluation only", tmp_path, _environment(tmp_path, "embedded")
    )
    (warned,) = [json.loads(line) for line in lines if '"pack_for_evaluation_only"' in line]
    assert (warned["level"], warned["express"]) == ("warning", "allowed by allow_evaluation_pack")
    assert any(
        line.endswith("because allow_evaluation_pack is true. The default policy is evaluation.")
        for line in lines
    )
    (link,) = [line for line in lines if "#link=" in line]
    assert link.startswith("The console, for one log-in: http://127.0.0.1:")


@pytest.mark.slow
def test_a_damaged_installation(tmp_path: Path) -> None:
    """The package is a copy without one of its data files, and comes first on the path."""
    damaged = tmp_path / "installation"
    shutil.copytree(
        str(files("liveness")), damaged / "liveness", ignore=shutil.ignore_patterns("__pycache__")
    )
    (damaged / "liveness/dynamic/flash_model.toml").unlink()
    path = os.pathsep.join([str(damaged), *filter(None, sys.path)])
    status, line = _serve(tmp_path, "embedded", PYTHONPATH=path)
    assert status == 2
    assert line == (
        "The server cannot start: the packaged flash_model.toml cannot be read; reinstall the package"
    )


@pytest.mark.parametrize("room", ["device_integrity", "liveness", "matcher", "server", "vision"])
def test_every_error_of_a_room_is_reported_in_a_line(room: str) -> None:
    """Every class in the ``errors`` modules, so that a new hierarchy is included."""
    root = Path(str(files(room)))
    names = [
        ".".join((room, *file.relative_to(root).with_suffix("").parts)) for file in root.rglob("errors.py")
    ]
    found = [
        value
        for name in names
        for value in vars(import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == name
    ]
    assert found
    assert [error for error in found if not issubclass(error, _CANNOT_START)] == []


_PUBLISHED = """schema = 1
embedder_sha256 = "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507"
point = [{ cosine = 0.3, fmr_upper_bound = 0.1 }, { cosine = 0.6, fmr_upper_bound = 1e-4 }]
[record]
provenance = "published"
dataset = "made up for a test"
identities = 0
genuine_pairs = 0
impostor_pairs = 0
reference = "no publication: a test"
"""


@pytest.mark.slow
def test_the_strictest_policy_needs_figures_that_reach_as_far(assets: Path, tmp_path: Path) -> None:
    pack = f"open:{assets / 'models'}"
    high = {
        "FACEGATE_POLICIES__DEFAULT": "high",
        # iPhones then can meet it.
        "FACEGATE_DEVICE_INTEGRITY__APPLE__APP_IDS": '["TEAM123456.org.example.bank"]',
        "FACEGATE_DEVICE_INTEGRITY__PROXY_SPKI_SHA256": f'["{"ab" * 32}"]',
    }
    file = tmp_path / "published.toml"
    file.write_text(_PUBLISHED)
    status, line = _serve(tmp_path, pack, **high, FACEGATE_CALIBRATION=str(file))
    assert status == 2
    assert "the default policy high cannot be met by the pack open" in line
    assert "demands a false match rate of at most 1e-05" in line
    assert "name a file with published figures in the setting `calibration`" in line
    file.write_text(_PUBLISHED.replace("1e-4", "1e-5"))
    environment = _environment(tmp_path, pack) | high | {"FACEGATE_CALIBRATION": str(file)}
    lines = _lines_until("Facegate serves:", tmp_path, environment)
    (entry,) = [json.loads(line) for line in lines if '"match_calibration"' in line]
    assert (entry["provenance"], entry["lowest_fmr_bound"]) == ("published", 1e-5)
