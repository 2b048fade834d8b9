"""Files that are never seen in part."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

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


_KILLED = """
import os, sys
from pathlib import Path
from formats.private_files import appearing
with appearing(Path(sys.argv[1])) as file:
    file.write(b"whole database")
    file.flush()
    os._exit(9)
"""


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    path, other = tmp_path / "copy" / "base", tmp_path / "copy" / ".base.manifest.0123456789abcdef"
    other.write_bytes(b"of another file")
    assert subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False).returncode == 9
    assert len(list(path.parent.glob(".base.*"))) == 2
    write_atomically(path, b"new", over=True)
    assert {one.name for one in path.parent.iterdir()} == {"base", other.name}


def test_a_copy_that_another_writer_still_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "base"
    with appearing(path) as slow:
        slow.write(b"slow")
        write_atomically(path, b"fast", over=True)
        assert path.read_bytes() == b"fast"
    assert path.read_bytes() == b"slow"
    assert [one.name for one in tmp_path.iterdir()] == ["base"]


def test_a_copy_that_was_taken_for_an_interrupted_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    removed: list[str] = []

    def late(opened: IO[bytes], operation: int) -> None:
        if not removed:
            removed.append(opened.name)
            Path(opened.name).unlink()
        lock(opened, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomically(tmp_path / "base", b"new", over=False)
    assert (tmp_path / "base").read_bytes() == b"new"
    assert len(removed) == 1
