"""The pack ``open`` from real files, over every kind of mirror."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.vision.packs.pulled_files import write_pulled_files
from tests.vision.packs.pulling.pulling import pull
from vision.errors import FileNotOffered, FileRefused
from vision.packs import CataloguePack, load_pack
from vision.packs.catalogue import load_catalogue
from vision.packs.pulling.installed import sha256_of

runner = CliRunner(env={"COLUMNS": "100"})


def run(*arguments: str | Path) -> tuple[int, str]:
    result = runner.invoke(app, ["models", *map(str, arguments)])
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
    assert run("show", "open", *here)[0] == 0
    assert run("bundle", "open", "--out", tmp_path / "open.tar", *here)[0] == 0
    assert run("pull", "open", "--mirror", tmp_path / "open.tar", *there)[0] == 0
    assert run("show", "open", *there)[0] == 0


async def test_a_folder_with_state_files_suffices(assets: Path, tmp_path: Path) -> None:
    pack = load_catalogue().pack("open")
    assert pack is not None
    mirror = assets / "models"
    converted = {entry.file_name: entry for entry in pack.fetched if entry.state_file is not None}
    assert not any((mirror / name).exists() for name in converted)
    report = await pull(mirror, tmp_path, pack)
    origins = {file.name: file.origin for file in report.fetched}
    for name, entry in converted.items():
        assert entry.state_file is not None
        assert origins[name] == str(mirror / entry.state_file.name)
        assert sha256_of(report.folder / name) == entry.converted_sha256
    assert run("show", "open", "--models-dir", tmp_path)[0] == 0
    assert {file.name for file in load_pack("open", models_dir=tmp_path).files} == set(origins)


async def test_an_altered_state_file_is_refused(assets: Path, tmp_path: Path) -> None:
    pack, mirror = _network(assets, tmp_path)
    (entry,) = pack.required
    assert entry.state_file is not None
    path = mirror / entry.state_file.name
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(
        FileRefused, match=f"{entry.state_file.name} .*expected SHA-256 {entry.state_file.sha256}"
    ):
        await pull(mirror, tmp_path / "m", pack)
    assert not (tmp_path / "m/open").exists()


async def test_a_conversion_that_the_catalogue_does_not_know_is_refused(assets: Path, tmp_path: Path) -> None:
    pack, mirror = _network(assets, tmp_path)
    other = replace(pack, required=(replace(pack.required[0], converted_sha256=None),))
    with pytest.raises(FileRefused, match=f"open:{mirror}"):
        await pull(mirror, tmp_path / "m", other)
    assert not (tmp_path / "m/open").exists()


async def test_the_state_file_is_named_if_a_folder_has_neither(assets: Path, tmp_path: Path) -> None:
    pack, mirror = _network(assets, tmp_path)
    (entry,) = pack.required
    assert entry.state_file is not None
    (mirror / entry.state_file.name).unlink()
    with pytest.raises(FileNotOffered, match=entry.state_file.name):
        await pull(mirror, tmp_path / "m", pack)


def _network(assets: Path, folder: Path) -> tuple[CataloguePack, Path]:
    """A pack of one of Silent-Face's networks, and a mirror that has only its state file."""
    pack, entry = load_catalogue().pack("open"), load_catalogue().by_name("MiniFASNetV2.onnx")
    assert pack is not None
    assert entry is not None
    assert entry.state_file is not None
    mirror = folder / "mirror"
    mirror.mkdir()
    name = entry.state_file.name
    (mirror / name).write_bytes((assets / "models" / name).read_bytes())
    return replace(pack, required=(entry,), networks=(), optional=()), mirror


def test_insightface_files_are_not_fetched_unseen(assets: Path, tmp_path: Path) -> None:
    status, output = run("pull", "buffalo_s", "--mirror", assets / "models", "--models-dir", tmp_path)
    assert status == 2
    assert "WebFace600K" in output
    assert "facegate models pull buffalo_s --accept" in " ".join(output.split())
    assert list(tmp_path.iterdir()) == []
