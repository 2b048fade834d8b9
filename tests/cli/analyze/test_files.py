import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.analyze.analysers import MOST_BYTES, kind_of, read_media, unreadable
from cli.analyze.report import FileKind
from cli.errors import CommandError, FileUnusable
from cli.files import require_file_path, write_file


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"abc")
    assert read_media(file) == b"abc"


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
    ):
        with pytest.raises(FileUnusable, match=words):
            read_media(path)


def test_a_name_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable) as raised:
        read_media(tmp_path / "a\x1b[2J")
    assert str(raised.value).isprintable()


def test_the_page_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    old = os.umask(0)
    try:
        write_file(page, "<p>ä</p>".encode(), force=False)
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        page.chmod(0o644)
        write_file(page, b"<p>new</p>", force=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text() == "<p>new</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_file_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    with pytest.raises(CommandError, match="remove it first"):
        require_file_path(page)
    with pytest.raises(CommandError, match="remove it first"):
        write_file(page, b"new")
    assert page.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_page_without_a_place_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is a folder"):
        require_file_path(tmp_path)
    with pytest.raises(CommandError, match="does not exist"):
        require_file_path(tmp_path / "none" / "page.html")
    with pytest.raises(CommandError, match="cannot be written"):
        write_file(tmp_path / "none" / "page.html", b"x", force=False)


def test_anything_but_a_file_is_never_replaced(tmp_path: Path) -> None:
    """As root a rename would replace a device."""
    target, pipe, link = tmp_path / "target", tmp_path / "pipe", tmp_path / "link"
    target.write_text("mine")
    os.mkfifo(pipe)
    link.symlink_to(target)
    for page in (pipe, link):
        with pytest.raises(CommandError, match="is not a regular file"):
            require_file_path(page)
        with pytest.raises(CommandError, match="is not a regular file"):
            write_file(page, b"new", force=True)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert link.is_symlink()
    assert target.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_name_that_no_file_can_have_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        require_file_path(tmp_path / ("x" * 300))


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
