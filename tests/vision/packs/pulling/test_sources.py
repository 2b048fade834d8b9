"""Mirrors on this machine: folders and tar files."""

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.packs.pulling.builders import CONTENTS, content, make_entry, make_pack, put, snapshot
from tests.vision.packs.pulling.pulling import pull
from vision.errors import FileNotOffered, FileRefused, MirrorUnusable
from vision.packs.catalogue import CataloguePack
from vision.packs.pulling.sources import _tar_members, mirror_names

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
    report = await pull(folder, tmp_path / "m")
    assert snapshot(report.folder) == CONTENTS


async def test_a_file_of_another_name_is_found_in_a_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {"published.onnx": DATA})
    entry = make_entry(NAME, DATA, url="https://x.invalid/published.onnx")
    pack = CataloguePack(name="toy", family="open", title="", summary="", required=(entry,), optional=())
    report = await pull(folder, tmp_path / "m", pack)
    assert snapshot(report.folder) == {NAME: DATA}


async def test_a_folder_without_a_required_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {name: data for name, data in CONTENTS.items() if name != NAME})
    with pytest.raises(FileNotOffered, match=f"has no {NAME}"):
        await pull(folder, tmp_path / "m")


async def test_a_folder_without_an_optional_file(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {name: data for name, data in CONTENTS.items() if name != "pad.onnx"})
    report = await pull(folder, tmp_path / "m")
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert not (tmp_path / "m/.incoming-toy").exists()


@pytest.mark.parametrize("size", [0, 10, len(DATA)])
async def test_wrong_bytes_in_a_folder(tmp_path: Path, size: int) -> None:
    folder = put(tmp_path / "mirror", {**CONTENTS, NAME: content(9, size)})
    with pytest.raises(FileRefused, match="expected SHA-256"):
        await pull(folder, tmp_path / "m")
    assert not (tmp_path / "m/toy").exists()


async def test_a_file_that_is_too_long_in_a_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {**CONTENTS, NAME: DATA + b"!"})
    with pytest.raises(FileRefused):
        await pull(folder, tmp_path / "m")


async def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {name: data for name, data in CONTENTS.items() if name != NAME})
    os.mkfifo(folder / NAME)
    with pytest.raises(FileNotOffered):
        await pull(folder, tmp_path / "m", deadline=20)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./", "open/"])
async def test_a_tar_file_is_a_source(tmp_path: Path, format: int, prefix: str) -> None:  # noqa: A002
    path = tar_of(tmp_path / "m.tar", {prefix + name: data for name, data in CONTENTS.items()}, format=format)
    report = await pull(path, tmp_path / "m")
    assert snapshot(report.folder) == CONTENTS


async def test_a_tar_file_with_wrong_members(tmp_path: Path) -> None:
    pack, models = make_pack(), tmp_path / "m"
    wrong = tar_of(tmp_path / "1.tar", {**CONTENTS, NAME: content(9, len(DATA))})
    with pytest.raises(FileRefused):
        await pull(wrong, models, pack)
    short = tar_of(tmp_path / "2.tar", {**CONTENTS, NAME: DATA[:-1]})
    with pytest.raises(FileRefused, match=r"699,999 bytes, expected 700,000"):
        await pull(short, models, pack)
    lacking = tar_of(tmp_path / "3.tar", {"detector.onnx": CONTENTS["detector.onnx"]})
    with pytest.raises(FileNotOffered):
        await pull(lacking, models, pack)
    assert not (models / "toy").exists()


async def test_a_mirror_that_is_nothing(tmp_path: Path) -> None:
    for source in (tmp_path / "missing", put(tmp_path / "f", {"x": b"no tar"}) / "x"):
        with pytest.raises(MirrorUnusable):
            await pull(source, tmp_path / "m")


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def archive(path: Path, *infos: tarfile.TarInfo, data: bytes = b"") -> Path:
    """An archive with arbitrary headers; every member is followed by ``data``."""
    parts = [info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512) for info in infos]
    path.write_bytes(b"".join([*parts, bytes(1024)]))
    return path


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"Z",
    ],
)
async def test_only_regular_members_are_offered(tmp_path: Path, kind: bytes) -> None:
    path = archive(tmp_path / "x.tar", *(member(name, kind, link="/etc/passwd") for name in CONTENTS))
    with pytest.raises((FileNotOffered, MirrorUnusable)):
        await pull(path, tmp_path / "m")


async def test_the_names_in_an_archive_are_no_paths(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {f"../../{name}": data for name, data in CONTENTS.items()})
    report = await pull(path, tmp_path / "a/b/m")
    assert snapshot(report.folder) == CONTENTS
    assert not any((tmp_path / folder / NAME).exists() for folder in (".", "a", "a/b"))


@pytest.mark.parametrize(
    ("infos", "why"),
    [
        ([member("x", tarfile.XHDTYPE, size=2**30)], "a header is longer than 65,536 bytes"),
        ([member("x", tarfile.GNUTYPE_LONGNAME, size=2**30)], "a header is longer than 65,536 bytes"),
        ([member(f"a{number}") for number in range(1001)], "more than 1000 members"),
    ],
)
async def test_archives_that_exhaust_a_reader_are_refused(
    tmp_path: Path, infos: list[tarfile.TarInfo], why: str
) -> None:
    with pytest.raises(MirrorUnusable, match=why):
        await pull(archive(tmp_path / "x.tar", *infos), tmp_path / "m")


async def test_a_member_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {"detector.onnx": CONTENTS["detector.onnx"], NAME: DATA})
    path.write_bytes(path.read_bytes()[:500_000])
    with pytest.raises((FileRefused, MirrorUnusable, FileNotOffered)):
        await pull(path, tmp_path / "m")


@given(noise=st.binary(max_size=2000), place=st.integers(0, 1500))
def test_noise_is_refused_or_read_never_worse(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int
) -> None:
    path = archive(tmp_path_factory.getbasetemp() / "noise.tar", member("detector.onnx", size=3), data=b"abc")
    good = path.read_bytes()
    path.write_bytes(good[:place] + noise + good[place + len(noise) :])
    with contextlib.suppress(MirrorUnusable):
        assert set(_tar_members(path, make_pack())) <= {"detector.onnx", "embedder.onnx", "pad.onnx"}
