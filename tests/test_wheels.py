"""The three wheels: what each carries."""

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_PROJECTS = {"facegate_protocol": "protos", "facegate_client": "client", "facegate": "."}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The wheels of this checkout, by their distributions."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in _PROJECTS.values():
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=_ROOT / project,
            check=True,
            capture_output=True,
        )
    return {name: next(folder.glob(f"{name}-0*.whl")) for name in _PROJECTS}


def _names(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_the_protocol_is_stubs_contract_and_transcript(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels["facegate_protocol"])
    assert {name.partition("/")[0] for name in names} == {"facegate", "facegate_protocol"}
    assert names >= {
        "facegate/py.typed",
        "facegate/v1/scan.proto",
        "facegate/v1/scan_pb2.py",
        "facegate/v1/scan_pb2.pyi",
        "facegate/v1/verification_service_pb2_grpc.py",
        "facegate_protocol/chain.py",
        "facegate_protocol/py.typed",
    }


def test_the_client_is_one_package(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels["facegate_client"])
    assert {name.partition("/")[0] for name in names} == {"facegate_client"}
    assert names >= {"facegate_client/device.py", "facegate_client/py.typed"}


def test_the_application_is_one_package_with_its_data(wheels: Mapping[str, Path]) -> None:
    names = _names(wheels["facegate"])
    assert {name.partition("/")[0] for name in names} == {"facegate_app"}
    folders = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert folders == {
        *("attempt", "cli", "device_integrity", "evaluation", "liveness", "matcher", "server", "simulator"),
        "vision",
    }
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert names == {
        "facegate_app/__init__.py",
        "facegate_app/__main__.py",
        *(f"facegate_app/{name}" for name in tracked),
    }
