"""Files of commands: read within a limit, written whole or not at all, never over another by accident."""

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cli.errors import FileUnusable

__all__ = ["NotRegular", "kind_there", "new_file_mode", "read_regular", "read_whole", "write_whole"]

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
_ALL_BITS: Final = 0o666


class NotRegular(OSError):
    """The path is a pipe, a device, or a link where a file is to be written."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file")


def read_regular(path: Path, *, most_bytes: int) -> bytes:
    """The content of a regular file, or of what a link to one leads to.

    Returns:
        At most ``most_bytes + 1`` bytes: one more than may be, for whoever judges the length.

    Raises:
        IsADirectoryError: It is a folder.
        NotRegular: It is something else.
        OSError: It cannot be read.
        ValueError: The path is none of this system.
    """
    # Without waiting: a pipe that nobody writes to would hold up the command for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise NotRegular
        return stream.read(most_bytes + 1)


def read_whole(path: Path, *, most_bytes: int) -> bytes:
    """The content of a regular file, or of what a link to one leads to.

    Raises:
        FileUnusable: It cannot be read, is not a regular file, or is longer than ``most_bytes``.
    """
    try:
        data = read_regular(path, most_bytes=most_bytes)
    except NotRegular as error:
        raise FileUnusable(f"{path} is not a regular file") from error
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > most_bytes:
        raise FileUnusable(f"{path} has more than {most_bytes} bytes")
    return data


def write_whole(path: Path, content: bytes, *, mode: int, force: bool) -> None:
    """Writes a file so that it is there whole, or not at all.

    Args:
        path: Where to.
        content: Its content.
        mode: Its permissions.
        force: Whether it may take the place of a file that is there.

    Raises:
        FileExistsError: There is one already and ``force`` is not set.
        NotRegular: What is there is no file, and is not replaced.
        OSError: It cannot be written.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    descriptor, name = tempfile.mkstemp(prefix=".facegate-", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            _take_place(part, path)
        else:
            _give_name(part, path)
    finally:
        part.unlink(missing_ok=True)


def kind_there(path: Path) -> int | None:
    """Type and mode of what has the name, a link's own; None where nothing has it."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def new_file_mode() -> int:
    """The permissions that this process gives to new files."""
    # The mask can be read only by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return _ALL_BITS & ~mask


def _take_place(part: Path, path: Path) -> None:
    """Only of a file: as root a rename would take the place of ``/dev/null`` too."""
    there = kind_there(path)
    if there is not None and not stat.S_ISREG(there):
        raise NotRegular
    part.replace(path)


def _give_name(part: Path, path: Path) -> None:
    """A link fails where the name is taken, even if it was taken a moment ago."""
    try:
        path.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        part.replace(path)
