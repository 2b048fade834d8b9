"""Files that are never seen in part."""

import os
import stat
from pathlib import Path

import pytest

from formats.private_files import appearing, write_atomically


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_atomically(tmp_path / "key", b"secret", over=False)
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_the_umask_takes_permissions_away(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "list", b"[]", mode=0o666, over=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "list").stat().st_mode) == 0o640


def test_a_file_is_replaced_only_if_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_atomically(path, b"new", over=False)
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new", over=True)
    assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_what_cannot_be_written_leaves_the_old_file_and_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "no space left on device")

    path = tmp_path / "key"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new", over=True)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_a_file_appears_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    with appearing(path) as file:
        file.write(b"one ")
        assert not path.exists()
        assert Path(file.name).parent == tmp_path
        file.write(b"two")
    assert path.read_bytes() == b"one two"


def test_a_file_that_was_given_up_leaves_nothing(tmp_path: Path) -> None:
    def give_up() -> None:
        with appearing(tmp_path / "copy") as file:
            file.write(b"one")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        give_up()
    assert list(tmp_path.iterdir()) == []
