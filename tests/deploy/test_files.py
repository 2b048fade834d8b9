"""The files that make and start an image. No engine builds it here, so they are read and compared."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.configuration.settings import Settings

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
    (ours,) = (rest for name, rest in _stages()[stage] if name == "RUN" and "/src/protos" in rest)
    assert "--no-deps --no-build-isolation" in ours


@pytest.mark.parametrize("stage", ["cpu", "cuda"])
def test_the_image_runs_as_an_ordinary_user_and_has_no_build_tools(stage: str) -> None:
    steps = _stages()[stage]
    assert ("USER", "65532:65532") in steps
    assert [rest for name, rest in steps if name == "COPY"] == [
        f"--from=build-{stage} /opt/facegate/.venv /opt/facegate/.venv"
    ]
    assert json.loads(dict(steps)["ENTRYPOINT"]) == ["facegate"]
    assert "pip" not in " ".join(rest for name, rest in steps if name == "RUN")


def test_the_context_has_what_is_installed_and_nothing_else() -> None:
    ignored = (_ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert all((_ROOT / path).exists() for path in kept)
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["only-include"]) <= kept
    assert not kept & {"tests", "research", "docs", ".git"}


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


def test_every_volume_and_dependency_of_compose_exists() -> None:
    compose = _compose()
    for service in compose["services"].values():
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(compose["volumes"])
        assert set(service.get("depends_on", {})) <= set(compose["services"])
