"""Files of images."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import files
from cli.analyze.analysers import MOST_BYTES, kind_of, read_media, unreadable
from cli.analyze.report import FileKind
from cli.errors import CommandError, FileUnusable
from cli.files import FOR_ALL, read_image, require_file_path, write_file


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


def test_a_file_that_is_there_stays_and_a_replaced_one_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"mine")
    path.chmod(0o644)
    with pytest.raises(CommandError, match="remove it first"):
        require_file_path(path)
    with pytest.raises(CommandError, match="already exists"):
        write_file(path, b"data")
    assert path.read_bytes() == b"mine"
    write_file(path, b"data", force=True)
    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
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


def test_a_path_without_a_place_is_refused_before_the_work_and_leaves_no_file(tmp_path: Path) -> None:
    for path, problem in (
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "page.html", "does not exist"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ):
        with pytest.raises(CommandError, match=problem):
            require_file_path(path)
        for force in (True, False):
            with pytest.raises(CommandError, match="cannot be written"):
                write_file(path, b"data", force=force)
    assert list(tmp_path.iterdir()) == []


def test_anything_but_a_file_is_never_replaced(tmp_path: Path) -> None:
    """As root a rename would replace a device."""
    target, pipe, link = tmp_path / "target", tmp_path / "pipe", tmp_path / "link"
    target.write_text("mine")
    os.mkfifo(pipe)
    link.symlink_to(target)
    for path in (pipe, link):
        with pytest.raises(CommandError, match="is not a regular file"):
            require_file_path(path)
        with pytest.raises(CommandError, match="is not a regular file"):
            write_file(path, b"new", force=True)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert link.is_symlink()
    assert target.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_no_more_than_one_byte_beyond_the_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "long.bin"
    with file.open("wb") as stream:
        stream.truncate(MOST_BYTES + 10_000)
    assert len(read_media(file)) == MOST_BYTES + 1


def test_anything_but_a_file_is_refused_with_advice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "is a folder: give the files in it"),
        (tmp_path / "none", "does not exist: check the path"),
        (tmp_path / "pipe", "is not a regular file"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (Path("nul\0byte"), "cannot be read"),
        (tmp_path / "a\x1b[2J", "does not exist"),
    ):
        with pytest.raises(FileUnusable, match=words) as raised:
            read_media(path)
        assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("begins", "kind"),
    [
        (b"\xff\xd8\xff\xe0", FileKind.IMAGE),
        (b"\x89PNG\r\n\x1a\n", FileKind.IMAGE),
        (b"RIFF\0\0\0\0WEBP", FileKind.IMAGE),
        (b"BM", FileKind.IMAGE),
        (b"\0\0\0\x18ftypisom", FileKind.VIDEO),
        (b"\0\0\0\x14ftypqt  ", FileKind.VIDEO),
        (b"RIFF\0\0\0\0AVI ", FileKind.VIDEO),
        (b"RIFF\0\0\0\0WAVE", FileKind.VIDEO),
        (b"\x1a\x45\xdf\xa3", FileKind.VIDEO),
        (b"%PDF-1.7", None),
        (b"<svg xmlns=", None),
        (b"", None),
    ],
)
def test_the_kind_of_a_file_follows_its_first_bytes(begins: bytes, kind: FileKind | None) -> None:
    content = begins + bytes(64) if begins else b""
    assert kind_of(content) is kind
    assert (unreadable(content, kind) is None) == (kind is not None)


@settings(max_examples=60)
@given(st.binary(max_size=64))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    problem = unreadable(content, kind_of(content))
    assert problem is None or problem.code == "INVALID_REQUEST"
