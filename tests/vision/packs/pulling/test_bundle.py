import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vision.packs.pulling.builders import CONTENTS, make_pack, put, snapshot
from tests.vision.packs.pulling.pulling import pull
from vision.errors import FolderUnusable, NotInstalled
from vision.packs.pulling.bundle import MANIFEST, TERMS, write_bundle


async def test_a_bundle_installs_the_pack_elsewhere(tmp_path: Path) -> None:
    put(tmp_path / "m/toy")
    report = write_bundle([make_pack()], models_dir=tmp_path / "m", out=tmp_path / "toy.tar")
    assert report.files == tuple(sorted(CONTENTS))
    data = report.path.read_bytes()
    assert (report.size, report.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    pulled = await pull(report.path, tmp_path / "elsewhere")
    assert snapshot(pulled.folder) == CONTENTS


def test_the_same_packs_give_the_same_bytes(tmp_path: Path) -> None:
    for number in (1, 2):
        put(
            tmp_path / f"m{number}/toy",
            {name: CONTENTS[name] for name in sorted(CONTENTS, reverse=True)} if number == 2 else CONTENTS,
        )
        write_bundle([make_pack()], models_dir=tmp_path / f"m{number}", out=tmp_path / f"{number}.tar")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as archive:
        assert {(info.mtime, info.uid, info.gid, info.mode) for info in archive} == {(0, 0, 0, 0o644)}


def test_manifest_and_terms(tmp_path: Path) -> None:
    put(tmp_path / "toy")
    pack = make_pack(restricts_use=True)
    second = replace(pack, name="second", optional=())
    put(tmp_path / "second")
    report = write_bundle([pack, second], models_dir=tmp_path, out=tmp_path / "x.tar")
    with tarfile.open(report.path) as archive:
        assert archive.getnames() == [MANIFEST, TERMS, *sorted(CONTENTS)]
        manifest = json.loads(read(archive, MANIFEST))
        assert "Research only, unless bought." in read(archive, TERMS).decode()
    assert [one["name"] for one in manifest["packs"]] == ["toy", "second"]
    for file in manifest["files"]:
        data = CONTENTS[file["name"]]
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert file["restricts_use"] == (file["name"] == "embedder.onnx")


def test_an_optional_file_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "toy", {name: data for name, data in CONTENTS.items() if name != "pad.onnx"})
    report = write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "x.tar")
    assert report.left_out == ("pad.onnx",)
    assert "pad.onnx" not in report.files


@pytest.mark.parametrize("contents", [{}, {**CONTENTS, "detector.onnx": b"altered"}])
def test_a_damaged_pack_is_not_bundled(tmp_path: Path, contents: dict[str, bytes]) -> None:
    put(tmp_path / "toy", contents)
    with pytest.raises(NotInstalled, match="facegate models pull toy"):
        write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "x.tar")
    assert not (tmp_path / "x.tar").exists()


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path: Path) -> None:
    put(tmp_path / "toy")
    (tmp_path / "x.tar").write_text("mine")
    with pytest.raises(FolderUnusable, match="already exists"):
        write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "x.tar")
    assert (tmp_path / "x.tar").read_text() == "mine"
    with pytest.raises(FolderUnusable, match="cannot be written"):
        write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "no/x.tar")


def read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()
