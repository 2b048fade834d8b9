"""Mirrors on this machine: folders and tar files."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from cli.errors import FileNotOffered, MirrorUnusable, WrongContent, WrongSize
from cli.models.install import pull_pack
from cli.models.sources import mirror_names
from tests.cli.models.builders import CONTENTS, content, make_entry, make_pack, put, snapshot
from vision.packs.catalogue import CataloguePack

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


def tar_of(path: Path, contents: dict[str, bytes], *, format: int = tarfile.USTAR_FORMAT) -> Path:  # noqa: A002
    with tarfile.open(path, "w", format=format) as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1.5  # Makes an extended header in pax archives.
            archive.addfile(info, io.BytesIO(data))
    return path


def test_names_on_a_mirror() -> None:
    entry = make_entry(
        "a.onnx", b"", other_names=("b.onnx",), url="https://x.invalid/w/best%20one.onnx?raw=1"
    )
    assert mirror_names(entry) == ("a.onnx", "b.onnx", "best one.onnx")
    assert mirror_names(make_entry("a.onnx", b"", url="https://x.invalid/a.onnx")) == ("a.onnx",)
    assert mirror_names(make_entry("a.dat", b"")) == ("a.dat",)


async def test_a_folder_is_a_source(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {**CONTENTS, "unknown.onnx": b"?"})
    report = await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(folder))
    assert snapshot(report.folder) == CONTENTS


async def test_a_file_of_another_name_is_found_in_a_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {"published.onnx": DATA})
    entry = make_entry(NAME, DATA, url="https://x.invalid/published.onnx")
    pack = CataloguePack(name="toy", family="open", title="", summary="", required=(entry,), optional=())
    report = await pull_pack(pack, models_dir=tmp_path / "m", source=str(folder))
    assert snapshot(report.folder) == {NAME: DATA}


async def test_a_folder_without_a_required_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {name: data for name, data in CONTENTS.items() if name != NAME})
    with pytest.raises(FileNotOffered, match=f"has no {NAME}"):
        await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(folder))


async def test_a_folder_without_an_optional_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {name: data for name, data in CONTENTS.items() if name != "pad.onnx"})
    report = await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(folder))
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert not (tmp_path / "m/.incoming-toy").exists()


@pytest.mark.parametrize("size", [0, 10, len(DATA)])
async def test_wrong_bytes_in_a_folder(tmp_path: Path, size: int) -> None:
    folder = put(tmp_path / "mirror", {**CONTENTS, NAME: content(9, size)})
    with pytest.raises(WrongContent, match="expected SHA-256"):
        await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(folder))
    assert not (tmp_path / "m/toy").exists()


async def test_a_file_that_is_too_long_in_a_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {**CONTENTS, NAME: DATA + b"!"})
    with pytest.raises(WrongSize):
        await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(folder))


async def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {name: data for name, data in CONTENTS.items() if name != NAME})
    os.mkfifo(folder / NAME)
    with pytest.raises(FileNotOffered):
        await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(folder), deadline=20)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./", "open/"])
async def test_a_tar_file_is_a_source(tmp_path: Path, format: int, prefix: str) -> None:  # noqa: A002
    path = tar_of(tmp_path / "m.tar", {prefix + name: data for name, data in CONTENTS.items()}, format=format)
    report = await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(path))
    assert snapshot(report.folder) == CONTENTS


async def test_a_tar_file_with_wrong_members(tmp_path: Path) -> None:
    pack, models = make_pack(), tmp_path / "m"
    wrong = tar_of(tmp_path / "1.tar", {**CONTENTS, NAME: content(9, len(DATA))})
    with pytest.raises(WrongContent):
        await pull_pack(pack, models_dir=models, source=str(wrong))
    short = tar_of(tmp_path / "2.tar", {**CONTENTS, NAME: DATA[:-1]})
    with pytest.raises(WrongSize, match=r"699,999 bytes, expected 700,000"):
        await pull_pack(pack, models_dir=models, source=str(short))
    lacking = tar_of(tmp_path / "3.tar", {"detector.onnx": CONTENTS["detector.onnx"]})
    with pytest.raises(FileNotOffered):
        await pull_pack(pack, models_dir=models, source=str(lacking))
    assert not (models / "toy").exists()


async def test_a_mirror_that_is_nothing(tmp_path: Path) -> None:
    for source in (tmp_path / "missing", put(tmp_path / "f", {"x": b"no tar"}) / "x"):
        with pytest.raises(MirrorUnusable):
            await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(source))
