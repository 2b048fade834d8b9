"""The installation without a network: the bundle is made, carried over, and works."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPTS = Path(__file__).parents[2] / "deploy" / "airgap"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("airgap") / "bundle"
    subprocess.run(["bash", _SCRIPTS / "bundle.sh", folder], check=True, env=_environment(), timeout=900)
    return folder


def _environment() -> dict[str, str]:
    # pip compiles every module; that takes long and shows nothing about the bundle.
    return {**os.environ, "PYTHON": sys.executable, "PIP_NO_COMPILE": "1"}


def _offline(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs a command without a network, where a user namespace can take it away."""
    alone = ["unshare", "--net", "--map-root-user"]
    probe = shutil.which("unshare") and subprocess.run([*alone, "true"], check=False, capture_output=True)
    prefix = alone if probe and probe.returncode == 0 else []
    return subprocess.run(
        [*prefix, *map(str, command)],
        check=False,
        capture_output=True,
        text=True,
        env=_environment(),
        timeout=900,
    )


@pytest.mark.slow
def test_a_bundle_installs_without_a_network(bundle: Path, tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    shutil.copytree(bundle, carried)
    done = _offline("bash", carried / "install.sh", tmp_path / "facegate")
    assert done.returncode == 0, done.stderr
    facegate = tmp_path / "facegate" / "venv" / "bin" / "facegate"
    listed = _offline(facegate, "models", "show", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "embedded" in listed.stdout
    examined = _offline(facegate, "doctor", "--only", "models", "--only", "machine", "--json")
    assert examined.returncode in {0, 4}, examined.stdout
    assert {finding["area"] for finding in json.loads(examined.stdout)["findings"]} >= {"models"}


@pytest.mark.slow
@pytest.mark.parametrize("change", ["altered", "added"])
def test_a_changed_bundle_is_not_installed(bundle: Path, tmp_path: Path, change: str) -> None:
    carried = tmp_path / "carried"
    shutil.copytree(bundle, carried)
    wheel = next((carried / "own").glob("facegate-*.whl"))
    if change == "altered":
        wheel.write_bytes(wheel.read_bytes() + b" ")
    else:
        (carried / "own" / "facegate-9.9-py3-none-any.whl").write_bytes(b"")
    done = _offline("bash", carried / "install.sh", tmp_path / "facegate")
    assert done.returncode != 0
    assert not (tmp_path / "facegate").exists()
