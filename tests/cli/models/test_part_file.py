import json
from pathlib import Path

import pytest

from cli.errors import FolderUnusable, WrongSize
from cli.models import part_file
from cli.models.part_file import PartFile
from cli.models.progress import NoProgress
from tests.cli.models.builders import content, make_entry

DATA = content(5, 3000)
ENTRY = make_entry("a.onnx", DATA)


def begun(folder: Path) -> PartFile:
    return PartFile(ENTRY, folder, NoProgress())


def test_a_part_becomes_the_file(tmp_path: Path) -> None:
    part = begun(tmp_path)
    part.append(DATA[:1000])
    part.keep()
    part = begun(tmp_path)
    assert (part.size, part.patched, part.whole) == (1000, True, False)
    part.append(DATA[1000:])
    assert part.whole
    assert part.sha256 == ENTRY.sha256
    part.save_validator("https://x.invalid/a", '"tag"')
    assert part.complete() == tmp_path / "a.onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_bytes() == DATA


def test_a_restart_discards_the_old_part(tmp_path: Path) -> None:
    part = begun(tmp_path)
    part.append(bytes(2000))
    part.restart()
    part.append(DATA)
    assert (part.sha256, part.patched) == (ENTRY.sha256, False)
    assert part.complete().read_bytes() == DATA


def test_a_byte_too_many_is_refused(tmp_path: Path) -> None:
    part = begun(tmp_path)
    part.append(DATA)
    with pytest.raises(WrongSize, match="3,000 bytes"):
        part.append(b"!")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_unknown_size_has_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_file, "LARGEST_FILE", 5000)
    part = PartFile(make_entry("a.onnx", DATA, sized=False), tmp_path, NoProgress())
    part.append(bytes(5000))
    assert not part.whole
    with pytest.raises(WrongSize):
        part.append(b"!")


def test_an_empty_part_is_not_kept(tmp_path: Path) -> None:
    begun(tmp_path).keep()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"url": "u"}', '{"url": "u", "validator": "a\\r\\nX: y"}'])
def test_a_damaged_note_is_no_validator(tmp_path: Path, note: str) -> None:
    (tmp_path / "a.onnx.part.json").write_text(note)
    part = begun(tmp_path)
    assert part.validator("u") is None
    part.keep()


def test_a_validator_is_of_one_address(tmp_path: Path) -> None:
    part = begun(tmp_path)
    part.save_validator("u", '"tag"')
    assert json.loads((tmp_path / "a.onnx.part.json").read_text())["url"] == "u"
    assert part.validator("u") == '"tag"'
    assert part.validator("v") is None
    part.keep()


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"a\.onnx\.part cannot be written"):
        begun(tmp_path / "missing")
