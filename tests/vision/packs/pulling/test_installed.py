import hashlib
import json
import os
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.vision.packs.pulling.pulling import CONTENTS, make_entry, make_pack, pull, put, snapshot
from vision.errors import FolderUnusable, NotInstalled
from vision.packs.catalogue import load_catalogue
from vision.packs.pack import LicenceTerms
from vision.packs.pulling.bundle import MANIFEST, TERMS, write_bundle
from vision.packs.pulling.installed import (
    RECORD,
    FileState,
    PackState,
    inspect_pack,
    is_accepted,
    needs_acceptance,
    read_acceptance,
    terms_text,
    write_acceptance,
)

ALL = set(CONTENTS)


@pytest.mark.parametrize(
    ("there", "altered", "state", "damaged"),
    [
        (set(), set(), PackState.NO, {"detector.onnx", "embedder.onnx"}),
        (ALL, set(), PackState.YES, set()),
        (ALL - {"pad.onnx"}, set(), PackState.YES, set()),
        ({"pad.onnx"}, set(), PackState.PARTLY, {"detector.onnx", "embedder.onnx"}),
        (ALL - {"detector.onnx"}, set(), PackState.PARTLY, {"detector.onnx"}),
        (ALL, {"pad.onnx"}, PackState.ALTERED, {"pad.onnx"}),
        (ALL - {"detector.onnx"}, {"embedder.onnx"}, PackState.ALTERED, {"detector.onnx", "embedder.onnx"}),
    ],
)
def test_states(
    tmp_path: Path, there: set[str], altered: set[str], state: PackState, damaged: set[str]
) -> None:
    put(tmp_path / "toy", {name: b"x" if name in altered else CONTENTS[name] for name in there})
    installed = inspect_pack(make_pack(), tmp_path)
    assert installed.state is state
    assert {file.entry.file_name for file in installed.damaged} == damaged
    assert installed.complete == (there == ALL and not altered)
    for file in installed.files:
        if file.entry.file_name in altered:
            assert file.found == make_entry("x", b"x").sha256


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    put(tmp_path / "toy")
    for name in ("detector.onnx", "embedder.onnx"):
        (tmp_path / "toy" / name).unlink()
    (tmp_path / "toy/detector.onnx").mkdir()
    os.mkfifo(tmp_path / "toy/embedder.onnx")
    installed = inspect_pack(make_pack(), tmp_path)
    assert [file.state for file in installed.files] == [
        FileState.UNREADABLE,
        FileState.UNREADABLE,
        FileState.INTACT,
    ]
    assert installed.state is PackState.ALTERED
    assert installed.files[0].problem == "not a file"


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("")
    assert inspect_pack(make_pack(), tmp_path).state is PackState.NO


def test_terms_of_weights_and_training_data_of_every_member() -> None:
    for pack in load_catalogue().packs:
        text = terms_text(pack)
        for entry in pack.members:
            assert entry.terms.weights in text
            assert entry.terms.training_data in text
            assert entry.file_name in text
        assert ("restricts use" in text) == pack.restricts_use


def test_a_record_holds_until_the_terms_change(tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    (tmp_path / "toy").mkdir()
    assert needs_acceptance(pack, tmp_path)
    accepted = write_acceptance(tmp_path / "toy", pack)
    assert read_acceptance(tmp_path / "toy") == accepted
    assert is_accepted(pack, tmp_path)
    assert not needs_acceptance(pack, tmp_path)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(accepted.accepted_at)) < timedelta(minutes=1)
    other = replace(
        pack.required[0], terms=LicenceTerms(part="detector.onnx", weights="Other.", training_data="Other.")
    )
    changed = replace(pack, required=(other, *pack.required[1:]))
    assert needs_acceptance(changed, tmp_path)


def test_a_record_of_another_pack_does_not_count(tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    (tmp_path / "other").mkdir()
    write_acceptance(tmp_path / "other", pack)
    assert needs_acceptance(replace(pack, name="other"), tmp_path)


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", "7", '{"schema": 1}', '{"schema": 2, "pack": "toy"}', "\xff"]
)
def test_a_damaged_record_does_not_count(tmp_path: Path, record: str) -> None:
    (tmp_path / RECORD).write_text(record, encoding="latin-1")
    assert read_acceptance(tmp_path) is None


def test_where_nothing_is_restricted_nothing_has_to_be_accepted(tmp_path: Path) -> None:
    assert not needs_acceptance(make_pack(), tmp_path)


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
