"""The installation: the lock files, the one runtime of each kind, the one version of everything."""

import importlib.metadata
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deploy.version import own_version, stale_files, version_for_npm, write_version
from vision.runtime_check import require_runtime

_ROOT = Path(__file__).resolve().parent.parent
_LOCKS = sorted((_ROOT / "deploy" / "requirements").rglob("*.lock"))
_SERVERS = ("cpu", "gpu")
_WITHOUT_LOCK = {"gpu", "training"}
"""The extras without a lock file of their own: the first has gpu.lock, and no server needs the second."""
_PROJECTS = ("protos", "clients/python", ".", "lab")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)([^\\]*)", re.MULTILINE)


def _project(folder: str) -> dict[str, Any]:
    """The metadata of a distribution of this repository."""
    project: dict[str, Any] = tomllib.loads((_ROOT / folder / "pyproject.toml").read_text())["project"]
    return project


def _locked(lock: Path) -> dict[str, str]:
    """Names that the lock installs, with their markers."""
    found = {match[1].lower(): match[3].strip() for match in _REQUIREMENT.finditer(lock.read_text())}
    return {name: marker for name, marker in found.items() if "never" not in marker}


def _extras() -> dict[str, set[str]]:
    """The packages of each extra that has a lock file."""
    return {
        name: {
            re.split(r"[>=]", text)[0].lower().replace("_", "-")
            for text in packages
            if not text.startswith("facegate")
        }
        for name, packages in _project(".")["optional-dependencies"].items()
        if name not in _WITHOUT_LOCK
    }


def test_there_are_lock_files() -> None:
    assert {lock.stem for lock in _LOCKS} == {"build", "dev", *_SERVERS, *_extras()}


@pytest.mark.parametrize("extra", _extras())
def test_an_extra_has_a_lock_file_of_what_a_server_lacks(extra: str) -> None:
    added = set(_locked(_ROOT / "deploy" / "requirements" / "extras" / f"{extra}.lock"))
    developers = _locked(_ROOT / "deploy" / "requirements" / "dev.lock")
    for server in _SERVERS:
        locked = set(_locked(_ROOT / "deploy" / "requirements" / f"{server}.lock"))
        assert _extras()[extra] <= added | locked
        assert not added & locked
    assert added <= set(developers)
    pins = dict(_PIN.findall((_ROOT / "deploy" / "requirements" / "dev.lock").read_text()))
    found = _PIN.findall((_ROOT / "deploy" / "requirements" / "extras" / f"{extra}.lock").read_text())
    assert {name: pins[name] for name, _ in found} == dict(found)


@pytest.mark.parametrize("lock", _SERVERS)
def test_a_server_gets_no_package_that_only_an_extra_needs(lock: str) -> None:
    """They are 470 MB: SciPy and the rest of scikit-image, matplotlib, dlib and its weights, AWS."""
    locked = set(_locked(_ROOT / "deploy" / "requirements" / f"{lock}.lock"))
    assert {"insightface", "onnx", "opencv-python-headless", "ai-edge-litert", "obstore"} <= locked
    assert not locked & {"scipy", "scikit-image", "networkx", "matplotlib", "dlib-bin", "boto3", "asyncpg"}


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.stem))
def test_lock_names_no_index_host(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert "index" not in lock.read_text()


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.stem))
def test_every_locked_package_has_hashes(lock: Path) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_the_npm_lock_names_no_registry_and_has_hashes() -> None:
    locked = json.loads((_ROOT / "web/package-lock.json").read_text())["packages"]
    fetched = [one for path, one in locked.items() if "node_modules/" in path and not one.get("link")]
    assert len(fetched) > 10
    assert [one for one in fetched if "://" in one.get("resolved", "") or "integrity" not in one] == []


@pytest.mark.parametrize(
    ("lock", "runtime"), [("cpu", "onnxruntime"), ("dev", "onnxruntime"), ("gpu", "onnxruntime-gpu")]
)
def test_lock_installs_one_runtime_and_one_opencv(lock: str, runtime: str) -> None:
    names = _locked(_ROOT / "deploy" / "requirements" / f"{lock}.lock")
    assert [name for name in names if name.startswith("onnxruntime")] == [runtime]
    assert [name for name in names if name.startswith("opencv")] == ["opencv-python-headless"]


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: str(lock.stem))
def test_lock_names_no_distribution_of_this_repository(lock: Path) -> None:
    assert not [name for name in _locked(lock) if name.startswith("facegate")]


def test_the_distributions_have_one_version_and_ask_for_it() -> None:
    protocol, client, application, laboratory = (_project(folder) for folder in _PROJECTS)
    assert [one["name"] for one in (protocol, client, application, laboratory)] == [
        "facegate-protocol",
        "facegate-client",
        "facegate",
        "facegate-lab",
    ]
    version = application["version"]
    assert protocol["version"] == client["version"] == laboratory["version"] == version
    assert laboratory["dependencies"] == [f"facegate=={version}"]
    for extra in ("embedded", "evaluation"):
        assert f"facegate-lab=={version}" in application["optional-dependencies"][extra]
    assert f"facegate-protocol=={version}" in client["dependencies"]
    assert {f"facegate-protocol=={version}", f"facegate-client[camera,video]=={version}"} <= {
        *application["dependencies"]
    }


@pytest.mark.parametrize(("runtime", "other"), [("gpu", "onnxruntime"), ("cpu", "onnxruntime-gpu")])
def test_make_replaces_the_other_build_of_the_runtime(tmp_path: Path, runtime: str, other: str) -> None:
    command = ["make", "--dry-run", "install", f"RUNTIME={runtime}", f"VENV={tmp_path}"]
    printed = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    shown, removed, installed = (
        printed.index(text)
        for text in (f"pip show --quiet {other} ", "pip uninstall", f"requirements/{runtime}.lock\n")
    )
    assert shown < removed < installed


def test_npm_publishes_the_files_of_a_release() -> None:
    """To npm, a path without ``./`` is a repository on GitHub, and a name with a scope is private."""
    commands = re.findall(r"\$ npm publish (.+?)\.tgz", (_ROOT / "docs/release.md").read_text())
    assert [command.partition("dist/")[0] for command in commands] == ["--access public ./"] * 2


_STATE_A_VERSION = (
    *("pyproject.toml", "protos/pyproject.toml", "clients/python/pyproject.toml", "lab/pyproject.toml"),
    "helm/facegate/Chart.yaml",
    *("web/package-lock.json", "web/sdk/package.json", "web/sdk/src/version.ts", "web/server/package.json"),
    *("clients/kotlin/pom.xml", "clients/kotlin/core/pom.xml", "clients/kotlin/android/pom.xml"),
    *("clients/kotlin/README.md", "clients/kotlin/sample/app/build.gradle.kts"),
)


def test_every_file_states_the_version_of_its_owner() -> None:
    assert stale_files() == [], f"run: make version VERSION={own_version()}"
    for name in _STATE_A_VERSION:
        text = (_ROOT / name).read_text()
        assert own_version() in text or version_for_npm(own_version()) in text, name


def test_this_environment_has_that_version() -> None:
    for name in ("facegate", "facegate-client", "facegate-lab", "facegate-protocol"):
        assert importlib.metadata.version(name) == own_version(), "run: make dev"


def test_the_changelog_begins_with_that_version() -> None:
    newest = re.search(r"^## \[(.+?)\]", (_ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] in {own_version(), "Unreleased"}


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """The files of this repository that state a version, in a folder of their own."""
    for name in _STATE_A_VERSION:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / name, tmp_path / name)
    return tmp_path


def test_a_new_version_is_written_into_every_file(copies: Path) -> None:
    before = own_version()
    assert sorted(write_version("98.7.6rc5", copies)) == sorted(_STATE_A_VERSION)
    assert stale_files(copies) == []
    for name in _STATE_A_VERSION:
        old = (_ROOT / name).read_text().splitlines()
        new = (copies / name).read_text().splitlines()
        changed = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        assert changed
        for was, now in changed:
            semver = was.replace(version_for_npm(before), "98.7.6-rc.5")
            assert now in {semver, was.replace(before, "98.7.6rc5")}


def test_a_copy_that_differs_is_found(copies: Path) -> None:
    chart = copies / "helm/facegate/Chart.yaml"
    chart.write_text(chart.read_text().replace(own_version(), "98.7.6"))
    assert stale_files(copies) == ["helm/facegate/Chart.yaml"]


@pytest.mark.parametrize("version", ["", "1.0", "v1.0.0", "1.0.0-rc.1", "1.0.0.dev1", "1.0.0rc"])
def test_a_text_that_is_no_version_is_written_nowhere(copies: Path, version: str) -> None:
    with pytest.raises(ValueError, match=r"is no version: expected one such as"):
        write_version(version, copies)
    assert own_version(copies) == own_version()
    assert stale_files(copies) == []


def test_a_file_that_states_no_version_is_named(copies: Path) -> None:
    (copies / "web/sdk/src/version.ts").write_text("export const OTHER = 1;\n")
    with pytest.raises(ValueError, match=r"version\.ts states no version"):
        write_version("98.7.6", copies)
    assert own_version(copies) == own_version()


@pytest.mark.parametrize(
    ("version", "semver"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.3a1", "1.2.3-alpha.1"),
        ("1.2.3b2", "1.2.3-beta.2"),
        ("1.0.0rc10", "1.0.0-rc.10"),
    ],
)
def test_npm_and_helm_get_a_version_of_semver(version: str, semver: str) -> None:
    assert version_for_npm(version) == semver


def test_client_and_protocol_require_the_same_versions_as_the_application() -> None:
    """The locks are made of the application's requirements, and so fit all three."""
    client = _project("clients/python")
    extras = [text for extra in client["optional-dependencies"].values() for text in extra]
    asked = {*_project("protos")["dependencies"], *client["dependencies"], *extras}
    assert asked <= {*_project(".")["dependencies"]}


def test_this_environment_has_one_runtime_and_one_opencv() -> None:
    installed = require_runtime()
    assert installed.onnxruntime.startswith("onnxruntime")
    assert installed.opencv.startswith("opencv")


def test_runtime_and_gencode_of_grpc_agree() -> None:
    generated = (_ROOT / "protos/facegate/v1/verification_service_pb2_grpc.py").read_text()
    match = re.search(r"GRPC_GENERATED_VERSION = '([0-9.]+)'", generated)
    assert match is not None
    for folder in ("protos", "clients/python", "."):
        assert f"grpcio>={match[1]}" in _project(folder)["dependencies"]
    assert tuple(map(int, importlib.metadata.version("grpcio").split("."))) >= tuple(
        map(int, match[1].split("."))
    )


# What facegate-client requires is enough for it; the rest is in extras.


_ALONE = """
import sys
sys.path[:0] = sys.argv[2:]
ours = {"facegate", "facegate_client", "facegate_protocol"}
# The last two are what grpcio and cryptography need.
theirs = {"cryptography", "google", "grpc", "standardwebhooks", "_cffi_backend", "typing_extensions"}

class Nothing:
    # Stands before all other finders.
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ours | theirs:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())

import asyncio
from pathlib import Path
import facegate_client
from facegate_client import SourceError, open_camera, open_image_folder, open_video
from facegate_client.encoding import CaptureLimits, encode_image

folder = Path(sys.argv[1])

def said(call, *arguments, **named):
    try:
        return call(*arguments, **named)
    except SourceError as error:
        return str(error)

async def images():
    source = open_image_folder(folder, pace="fast")
    return [said(encode_image, image.image, limits=CaptureLimits()).jpeg async for image in source]

async def picture():
    return await anext(open_image_folder(folder / "png", pace="fast"))

jpeg = (folder / "a.jpg").read_bytes()
assert asyncio.run(images()) == [jpeg]
for text in (
    said(encode_image, jpeg, limits=CaptureLimits(max_side=8)),
    said(asyncio.run, picture()),
    said(open_video, folder / "a.mp4"),
):
    assert "facegate-client[video]" in text, text
assert "facegate-client[camera]" in said(open_camera)
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - ours))
"""


def test_the_client_works_with_its_dependencies_alone(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG")
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "png").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "png" / "a.png")
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(tmp_path), str(_ROOT / "clients/python"), str(_ROOT / "protos")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"cryptography", "google", "grpc"} <= loaded
    assert not loaded & {"PIL", "aiohttp", "av", "cv2", "joserfc", "numpy"}
