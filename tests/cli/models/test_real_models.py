"""The pack ``open`` from real files, over every kind of mirror."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.models.command import app
from cli.models.install import pull_pack
from tests.cli.models.mirror_server import cut_after, mirror_server
from tests.vision.packs.pulled_files import pulled_files, write_pulled_files
from vision.packs import load_pack
from vision.packs.catalogue import load_catalogue

runner = CliRunner(env={"COLUMNS": "100"})


def run(*arguments: str | Path) -> tuple[int, str]:
    result = runner.invoke(app, [str(word) for word in arguments])
    return result.exit_code, result.stdout + result.stderr


@pytest.fixture
def published(assets: Path, tmp_path: Path) -> Path:
    """A folder with the files of the pack ``open`` under the names of their publishers."""
    pack = load_catalogue().pack("open")
    assert pack is not None
    return write_pulled_files(pack, assets, tmp_path / "published")


def test_from_a_folder_to_a_bundle_to_another_machine(published: Path, tmp_path: Path) -> None:
    here, there = ("--models-dir", tmp_path / "here"), ("--models-dir", tmp_path / "there")
    status, output = run("pull", "open", "--mirror", published, *here)
    assert status == 0, output
    assert run("verify", "open", *here)[0] == 0
    assert run("bundle", "open", "--out", tmp_path / "open.tar", *here)[0] == 0
    assert run("pull", "open", "--mirror", tmp_path / "open.tar", *there)[0] == 0
    status, output = run("verify", *there)
    assert (status, output.startswith("open: intact, 6 files as catalogued")) == (0, True)


async def test_an_interrupted_download_is_resumed(assets: Path, tmp_path: Path) -> None:
    pack = load_catalogue().pack("open")
    assert pack is not None
    files = pulled_files(pack, assets)
    async with mirror_server(files) as mirror:
        mirror.script["mobilefacenet_foamliu.onnx"] = [cut_after(1_000_000)]
        report = await pull_pack(pack, models_dir=tmp_path, source=mirror.base)
    assert len(report.fetched) == 6
    assert mirror.ranges["mobilefacenet_foamliu.onnx"] == [None, "bytes=1000000-"]
    loaded = load_pack("open", models_dir=tmp_path)
    assert {file.name for file in loaded.files} == set(files)


def test_insightface_files_are_not_fetched_unseen(assets: Path, tmp_path: Path) -> None:
    status, output = run("pull", "buffalo_s", "--mirror", assets / "models", "--models-dir", tmp_path)
    assert status == 2
    assert "WebFace600K" in output
    assert "facegate models pull buffalo_s --accept" in " ".join(output.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_open_pack_can_be_measured(published: Path, tmp_path: Path) -> None:
    assert run("pull", "open", "--mirror", published, "--models-dir", tmp_path)[0] == 0
    status, output = run("bench", "--pack", "open", "--runs", "3", "--models-dir", tmp_path)
    assert status == 0, output
    assert "pad:minifas_v2se" in output
