import os
from pathlib import Path

import pytest

from tests.vision.packs.pulling.builders import CONTENTS, make_entry, make_pack, put
from vision.packs.pulling.installed import FileState, PackState, inspect_pack

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
