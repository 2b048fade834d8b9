"""Files that are analysed, read within a limit; and the page, which nobody else may read."""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from cli.analyze.shown import shown_name
from cli.errors import FileUnusable, OutputUnusable

__all__ = ["MOST_BYTES", "check_page_path", "read_media", "write_page"]

MOST_BYTES: Final = 50_000_000
"""Longest file that is read: the longest video that is analysed; a picture may be far shorter."""

_OWNER_ONLY: Final = 0o600
_CHUNK: Final = 1 << 20


def read_media(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        most_bytes: How long it may be.

    Returns:
        At most ``most_bytes + 1`` bytes: one more than may be, for whoever judges the length.

    Raises:
        FileUnusable: It cannot be read, or is no regular file.
    """
    name = shown_name(path)
    try:
        # Without waiting: a pipe that nobody writes to would hold up the command for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            state = os.fstat(stream.fileno())
            if stat.S_ISDIR(state.st_mode):
                raise FileUnusable(f"{name} is a folder: name the files in it, such as {name}/*.jpg")
            if not stat.S_ISREG(state.st_mode):
                raise FileUnusable(f"{name} is no regular file: name a file with a picture or a video")
            return stream.read(most_bytes + 1)
    except IsADirectoryError as error:
        raise FileUnusable(f"{name} is a folder: name the files in it, such as {name}/*.jpg") from error
    except FileNotFoundError as error:
        raise FileUnusable(f"{name} is not there: check the path") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path of this system"
        raise FileUnusable(f"{name} cannot be read: {why}") from error


def check_page_path(path: Path, *, force: bool) -> None:
    """Says before the work, not after it, that a page could not be written.

    Raises:
        OutputUnusable: There is a file already and ``force`` is not set, what is there is no regular file, or
            there is no folder for it.
    """
    name = shown_name(path)
    try:
        if path.is_dir():
            raise OutputUnusable(f"{name} is a folder: name a file, such as {name}/explained.html")
        if not path.parent.is_dir():
            raise OutputUnusable(f"there is no folder {shown_name(path.parent)} for the page: make it first")
        there = _kind_there(path)
    except OSError as error:
        raise OutputUnusable(f"{name} cannot be written: {error.strerror or error}") from error
    if there is not None and not stat.S_ISREG(there):
        raise OutputUnusable(f"{name} is no regular file, and none is put in its place: name another file")
    if there is not None and not force:
        raise OutputUnusable(f"{name} is already there: name another file, or use --force")


def write_page(path: Path, page: str, *, force: bool) -> None:
    """Writes a page so that it is there whole or not at all, and readable for its owner alone.

    Args:
        path: Where to.
        page: Its text.
        force: Whether it may take the place of a file that is there.

    Raises:
        OutputUnusable: There is one already and ``force`` is not set, or it cannot be written.
    """
    try:
        _write(path, page.encode("utf-8", "backslashreplace"), force=force)
    except FileExistsError as error:
        raise OutputUnusable(
            f"{shown_name(path)} is already there: name another file, or use --force"
        ) from error
    except OSError as error:
        raise OutputUnusable(f"{shown_name(path)} cannot be written: {error.strerror or error}") from error


def _write(path: Path, content: bytes, *, force: bool) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".facegate-", suffix=".html", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), _OWNER_ONLY)
            for start in range(0, len(content), _CHUNK):
                stream.write(content[start : start + _CHUNK])
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            _take_place(part, path)
        else:
            _give_name(part, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _kind_there(path: Path) -> int | None:
    """Type and mode of what has the name, a link's own; None where nothing has it."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _take_place(part: Path, path: Path) -> None:
    """Only of a file: as root a rename would take the place of ``/dev/null`` too."""
    there = _kind_there(path)
    if there is not None and not stat.S_ISREG(there):
        raise OSError(errno.EINVAL, "it is no regular file")
    part.replace(path)


def _give_name(part: Path, path: Path) -> None:
    """A link fails where the name is taken, even if it was taken a moment ago."""
    try:
        path.hardlink_to(part)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        part.replace(path)
