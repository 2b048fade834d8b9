"""The files that make and start an image, the bundle without a network, and the bill of materials."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from packaging.markers import Marker

from deploy.sbom import bundled_packages, installed_packages, locked_packages, main, own_packages
from deploy.version import own_version
from server.configuration.settings import Settings
from tests.proxies import connect_proxy

# The files that make and start an image. No engine builds it here, so they are read and compared.

_ROOT = Path(__file__).parents[2]
_DOCKERFILE = (_ROOT / "deploy" / "Dockerfile").read_text()


def _instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in _DOCKERFILE.splitlines() if line[:1] != "#"))
    return [(name, rest) for name, rest in (line.split(" ", 1) for line in joined.splitlines() if line)]


def _stages() -> dict[str, list[tuple[str, str]]]:
    stages: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for name, rest in _instructions():
        if name == "FROM":
            current = stages.setdefault(rest.split(" AS ")[1], [])
        current.append((name, rest))
    return stages


def _compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((_ROOT / "deploy" / "compose.yaml").read_text())
    return content


@pytest.mark.parametrize("stage", ["build-cpu", "build-cuda"])
def test_the_base_image_is_named_by_digest(stage: str) -> None:
    froms = [rest for name, rest in _instructions() if name == "FROM"]
    assert all(rest.startswith("${BASE} ") for rest in froms)
    first = next(rest for name, rest in _stages()[stage] if name == "RUN")
    assert first.startswith('case "${BASE}" in *@sha256:*) ;;')
    assert "exit 1" in first


@pytest.mark.parametrize(("stage", "lock"), [("build-cpu", "cpu.lock"), ("build-cuda", "gpu.lock")])
def test_packages_are_installed_by_hash(stage: str, lock: str) -> None:
    (install,) = (rest for name, rest in _stages()[stage] if name == "RUN" and "build.lock" in rest)
    for part in install.split("&&")[1:]:
        assert "--require-hashes --no-deps" in part
    assert f"requirements/{lock}" in install
    assert "for extra in ${EXTRAS}; do" in install
    assert ("ARG", "EXTRAS=postgres") in _stages()[stage]
    (ours,) = (rest for name, rest in _stages()[stage] if name == "RUN" and "/src/protos" in rest)
    assert "--no-deps --no-build-isolation" in ours


@pytest.mark.parametrize("stage", ["cpu", "cuda"])
def test_the_image_runs_as_an_ordinary_user_and_has_no_build_tools(stage: str) -> None:
    steps = _stages()[stage]
    assert ("USER", "65532:65532") in steps
    assert [rest for name, rest in steps if name == "COPY"] == [
        f"--from=build-{stage} /opt/facegate/.venv /opt/facegate/.venv"
    ]
    removed = _stages()[f"build-{stage}"][-1][1].partition("pip uninstall --quiet --yes ")[2].split()
    assert {"hatchling", "pip", "setuptools", "wheel"} <= set(removed)
    assert json.loads(dict(steps)["ENTRYPOINT"]) == ["facegate"]
    assert "pip" not in " ".join(rest for name, rest in steps if name == "RUN")


def test_the_context_has_what_is_installed_and_nothing_else() -> None:
    ignored = (_ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert all((_ROOT / path).exists() for path in kept)
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["only-include"]) <= kept
    assert not kept & {"tests", "lab", "docs", ".git"}


def test_the_settings_of_compose_are_valid() -> None:
    compose = _compose()
    settings = Settings.model_validate(
        tomllib.loads((_ROOT / "deploy" / compose["configs"]["settings"]["file"]).read_text())
    )
    assert compose["services"]["facegate"]["stop_grace_period"] == "200s"
    assert settings.drain_seconds < 200
    for service in ("facegate", "migrate", "models"):
        described = compose["services"][service]
        assert described["read_only"] is True
        assert described["cap_drop"] == ["ALL"]
        assert {"pgpass", "api_keys.toml", "tls.pem", "tls.key"} <= set(described["secrets"])
        assert set(described["secrets"]) <= set(compose["secrets"])
    assert all(
        service["image"].startswith("${") and ":?" in service["image"]
        for service in compose["services"].values()
    )


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
async def test_the_health_check_of_compose_takes_no_proxy(status: int, healthy: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} Ready\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, _, *command = _compose()["services"]["facegate"]["healthcheck"]["test"]
    async with server, connect_proxy(refuses=True) as proxy:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(part.replace(":8445/", f":{port}/") for part in command),
            env={"http_proxy": proxy.address, "HTTP_PROXY": proxy.address},
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert (await process.wait() == 0) is healthy
    assert proxy.requests == []


def test_the_server_of_compose_reaches_its_s3_without_a_proxy() -> None:
    environment = _compose()["services"]["facegate"]["environment"]
    assert environment["NO_PROXY"].split(",") == ["objects", "${NO_PROXY:-}"]
    assert environment["no_proxy"].split(",") == ["objects", "${no_proxy:-}"]


def test_every_volume_and_dependency_of_compose_exists() -> None:
    compose = _compose()
    for service in compose["services"].values():
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(compose["volumes"])
        assert set(service.get("depends_on", {})) <= set(compose["services"])


# The installation without a network: the bundle is made, carried over, and works.

_SCRIPTS = Path(__file__).parents[2] / "deploy" / "airgap"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("airgap") / "bundle"
    subprocess.run(["bash", _SCRIPTS / "bundle.sh", folder], check=True, env=_environment(), timeout=900)
    return folder


def _environment() -> dict[str, str]:
    # pip compiles every module; that takes long and shows nothing about the bundle.
    return {**os.environ, "PYTHON": sys.executable, "PIP_NO_COMPILE": "1", "EXTRAS": "timestamps"}


def _offline(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command without a network, where a user namespace can take it away."""
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
@pytest.mark.long
def test_a_bundle_installs_without_a_network(bundle: Path, tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    shutil.copytree(bundle, carried)
    done = _offline("bash", carried / "install.sh", tmp_path / "facegate")
    assert done.returncode == 0, done.stderr
    facegate = tmp_path / "facegate" / "venv" / "bin" / "facegate"
    listed = _offline(facegate, "models", "show", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "embedded" in listed.stdout
    assert {path.name for path in (carried / "systemd").iterdir()} == {"facegate.service", "facegate.toml"}
    examined = _offline(facegate, "doctor", "--only", "models", "--only", "machine", "--json")
    assert "needs the extra embedded" in examined.stdout
    assert {finding["area"] for finding in json.loads(examined.stdout)["findings"]} >= {"models"}
    stamps = _offline(facegate.with_name("python"), "-c", "import rfc3161_client")
    assert stamps.returncode == 0, "EXTRAS is not in the bundle"


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


# The bill of materials and the licences: complete, valid, and of the packages that the lock file pins.

_LOCK = (_ROOT / "deploy" / "requirements" / "cpu.lock").read_text()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sbom")
    main(["--out", str(folder)])
    return folder


def test_it_is_a_valid_bill_of_this_version(written: Path) -> None:
    # Imported here: its grammars take seconds to build.
    from cyclonedx.validation.json import JsonStrictValidator

    text = (written / "facegate.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    about = bill["metadata"]["component"]
    assert (about["name"], about["version"]) == ("facegate", own_version())
    own = {one["name"]: one["version"] for one in bill["components"] if one["name"].startswith("facegate-")}
    assert own == {"facegate-client": own_version(), "facegate-protocol": own_version()}
    (root,) = (one for one in bill["dependencies"] if one["ref"] == "facegate")
    assert len(root["dependsOn"]) == len(bill["components"])


def test_it_has_every_package_of_the_lock_with_its_version_and_hashes(written: Path) -> None:
    components = json.loads((written / "facegate.cdx.json").read_text())["components"]
    packages = {one["bom-ref"]: one for one in components if one["type"] == "library"}
    npm = {*bundled_packages(), *installed_packages()}
    assert len({package.name for package in npm}) == len(npm), "the npm packages pin two versions of one"
    listed = (*own_packages(), *locked_packages(_LOCK), *npm)
    assert set(packages) == {f"{package.registry}/{package.name}" for package in listed}
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; (.+?))?(?: \\)?$", _LOCK, re.MULTILINE)
    assert len(pinned) > 60
    for name, version, marker in pinned:
        if not marker or Marker(marker).evaluate():
            assert packages[f"pypi/{name}"]["version"] == version
    assert {"grpcio", "numpy", "cryptography", "onnxruntime", "opencv-python-headless"} <= {
        package.name for package in listed
    }
    grpcio = packages["pypi/grpcio"]
    assert f"grpcio=={grpcio['version']}" in _LOCK
    assert grpcio["purl"] == f"pkg:pypi/grpcio@{grpcio['version']}"
    hashes = [one["value"] for one in grpcio["properties"] if one["name"] == "facegate:file_sha256"]
    assert hashes
    assert all(f"--hash=sha256:{digest}" in _LOCK for digest in hashes)


def test_it_has_every_model_with_its_hash_and_its_terms(written: Path) -> None:
    catalogue = tomllib.loads((_ROOT / "vision" / "packs" / "catalogue.toml").read_text())["model"]
    components = json.loads((written / "facegate.cdx.json").read_text())["components"]
    models = {one["version"]: one for one in components if one["type"] == "machine-learning-model"}
    assert set(models) == {model["sha256"] for model in catalogue}
    for model in catalogue:
        found = models[model["sha256"]]
        assert found["hashes"] == [{"alg": "SHA-256", "content": model["sha256"]}]
        assert found["licenses"][0]["license"]["name"] == model["weights"]
        assert found["properties"] == [{"name": "facegate:training_data", "value": model["training_data"]}]


def test_the_licences_are_those_that_packages_state(written: Path) -> None:
    page = (written / "licences.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert next(line for line in lines if line.startswith("| grpcio |")).endswith("| Apache-2.0 |")
    catalogue = tomllib.loads((_ROOT / "vision" / "packs" / "catalogue.toml").read_text())["model"]
    assert all(model["training_data"] in page for model in catalogue)


def test_a_package_that_is_installed_in_another_version_or_not_at_all_is_listed() -> None:
    lock = "".join(
        f"{name}==0.0.1 \\\n    --hash=sha256:{'0' * 64}\n" for name in ("grpcio", "no-such-package")
    )
    grpcio, absent = locked_packages(lock)
    assert (grpcio.version, grpcio.sha256, grpcio.licence) == ("0.0.1", ("0" * 64,), "Apache-2.0")
    assert (absent.version, absent.licence) == ("0.0.1", "not known: not installed where this was written")


def test_a_package_for_another_system_is_left_out_with_its_hashes() -> None:
    lock = (
        f"numpy==1.0 ; sys_platform == 'never' \\\n    --hash=sha256:{'0' * 64}\n"
        f"numpy==2.0 ; sys_platform != 'never' \\\n    --hash=sha256:{'1' * 64}\n"
        f"colorama==3.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{'2' * 64}\n"
    )
    (numpy,) = locked_packages(lock)
    assert (numpy.version, numpy.sha256) == ("2.0", ("1" * 64,))


def test_the_bundled_packages_are_all_that_built_pages_contain() -> None:
    """What their sources import, but React, which the page brings, and what only runs in tests and builds."""
    rooms = ("protocol", "sdk", "console", "hosted", "try")
    sources = [source for room in rooms for source in (_ROOT / "web" / room / "src").rglob("*.ts*")]
    imported = {
        "/".join(name.split("/")[: 2 if name[0] == "@" else 1])
        for source in sources
        for name in re.findall(r'from "([@a-z][^"]*)"', source.read_text())
    }
    assert imported - {"react", "@facegate/protocol", "@facegate/web"} == {
        package.name for package in bundled_packages()
    }
    licences = {package.name: package.licence for package in bundled_packages()}
    assert licences["@bufbuild/protobuf"] == "Apache-2.0 AND BSD-3-Clause"
    assert licences["preact"] == licences["uplot"] == "MIT"


def test_the_installed_packages_are_those_that_a_backend_gets() -> None:
    names = {package.name for package in installed_packages()}
    manifest = json.loads((_ROOT / "web" / "server" / "package.json").read_text())
    assert set(manifest["dependencies"]) <= names
    assert not {"express", "typescript"} & names
