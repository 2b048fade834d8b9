"""Files of images."""

import os
import stat
from pathlib import Path

import pytest

from cli import files
from cli.errors import CommandError, FileUnusable
from cli.files import FOR_ALL, read_image, write_file


def test_a_file_is_there_whole_with_the_rights_that_new_files_get(tmp_path: Path) -> None:
    path = tmp_path / "out"
    before = os.umask(0o027)
    try:
        write_file(path, b"data", mode=FOR_ALL)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"mine")
    with pytest.raises(CommandError, match="already exists"):
        write_file(path, b"data", force=False)
    assert path.read_bytes() == b"mine"
    write_file(path, b"data", force=True)
    assert path.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_leads_nowhere_is_in_the_way_too(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="already exists"):
        write_file(path, b"data", force=False)
    assert not (tmp_path / "nowhere").exists()


def test_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "out"
    write_file(path, b"data", force=False)
    with pytest.raises(CommandError, match="already exists"):
        write_file(path, b"other", force=False)
    assert path.read_bytes() == b"data"


@pytest.mark.parametrize("force", [True, False])
def test_a_failed_write_leaves_no_file(tmp_path: Path, force: bool) -> None:
    for path in (tmp_path / "no/folder", tmp_path):
        with pytest.raises(CommandError, match="cannot be written"):
            write_file(path, b"data", force=force)
    assert list(tmp_path.iterdir()) == []


def test_only_regular_files_of_a_sensible_length_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"12345")
    assert read_image(path) == b"12345"
    monkeypatch.setattr(files, "MOST_IMAGE_BYTES", 4)
    with pytest.raises(FileUnusable, match="more than 4 bytes"):
        read_image(path)
    with pytest.raises(FileUnusable, match="not a regular file"):
        read_image(Path("/dev/zero"))
    with pytest.raises(FileUnusable, match="cannot be read"):
        read_image(tmp_path / "none")


def test_a_pipe_does_not_hold_up_the_command(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileUnusable, match="not a regular file"):
        read_image(pipe)


def test_anything_but_a_file_is_never_replaced(tmp_path: Path) -> None:
    """As root a rename would replace a device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CommandError, match="is not a regular file"):
        write_file(pipe, b"data", force=True)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]
