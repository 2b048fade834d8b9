"""Files of images: read within a limit, written whole or not at all, and never over another by accident."""

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cli.errors import FileUnusable

__all__ = ["MOST_BYTES", "read_image", "write_image"]

MOST_BYTES: Final = 50_000_000
"""Longest file that is looked into; a server takes far less."""

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
_ALL_BITS: Final = 0o666


def read_image(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        FileUnusable: It cannot be read, is no regular file, or is longer than ``MOST_BYTES``.
    """
    try:
        # Without waiting: a pipe that nobody writes to would hold up the command for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            state = os.fstat(stream.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise FileUnusable(f"{path} is no regular file: name an image file")
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise FileUnusable(f"{path} has more than {MOST_BYTES} bytes: this is no trusted image")
    return data


def write_image(path: Path, data: bytes, *, force: bool) -> None:
    """Writes a file so that it is there whole, or not at all.

    Args:
        path: Where to.
        data: Its content.
        force: Whether it may take the place of a file that is there.

    Raises:
        FileUnusable: There is one already and ``force`` is not set, or it cannot be written.
    """
    try:
        _write(path, data, force=force)
    except FileExistsError as error:
        raise FileUnusable(f"{path} is already there: name another with --out, or use --force") from error
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror or error}") from error


def _write(path: Path, data: bytes, *, force: bool) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    # As root a rename would take the place of /dev/null too.
    if force and path.exists() and not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), _ALL_BITS & ~_umask())
            os.fsync(stream.fileno())
        if force:
            part.replace(path)
        else:
            _give_name(part, path)
    finally:
        part.unlink(missing_ok=True)


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


def _umask() -> int:
    """The process's mask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
