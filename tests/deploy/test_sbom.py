"""The bill of materials and the licences: complete, valid, and of the packages that the lock file pins."""

import json
import tomllib
from pathlib import Path

import pytest

from deploy.sbom import locked_packages, main

_ROOT = Path(__file__).parents[2]
_LOCK = (_ROOT / "requirements" / "cpu.lock").read_text()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sbom")
    main(["--out", str(folder)])
    return folder


def test_it_has_every_installed_package_of_the_lock_with_its_hashes(written: Path) -> None:
    components = json.loads((written / "facegate.cdx.json").read_text())["components"]
    packages = {one["name"]: one for one in components if one["type"] == "library"}
    assert set(packages) == {package.name for package in locked_packages(_LOCK)}
    assert {"grpcio", "numpy", "cryptography", "onnxruntime", "opencv-python-headless"} <= set(packages)
    grpcio = packages["grpcio"]
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


def test_a_package_of_another_version_is_left_out() -> None:
    assert locked_packages("grpcio==0.0.1 \\\n    --hash=sha256:" + "0" * 64) == ()
