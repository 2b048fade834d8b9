import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.vision.packs.pulling.builders import CONTENTS, make_entry, make_pack, put
from vision.packs.catalogue import load_catalogue
from vision.packs.pack import LicenceTerms
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
