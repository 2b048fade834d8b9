"""Files that are handed to the server or made by it, and who may read and write them.

Handed to it: strangers may not write them, as they decide who is trusted; a group may, as it does under the
umask of many machines. Those with secrets a group may read, as it does what Kubernetes mounts from a Secret;
nobody else may, and nobody but the owner may write them. The mode is that of the opened
file, so links to it make no difference.

Made by it: folders 0700 and files 0600, whatever the umask. What an earlier version left wider is tightened,
where it is the server's own.

::

    PrivateFileError    the file with secrets cannot be read, is too large, or is open to others;
                        or others may write a file that they may read
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.errors import ConfigurationError

__all__ = [
    "PRIVATE_UMASK",
    "PrivateFileError",
    "make_private_file",
    "make_private_folder",
    "read_private_file",
    "read_trusted_file",
    "tighten",
]

PRIVATE_UMASK: Final = 0o077
"""Of a process that writes nothing for others."""

_OPEN_TO_OTHERS: Final = stat.S_IWGRP | stat.S_IRWXO
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class PrivateFileError(ConfigurationError):
    """A file cannot be read, is too large, or is open to others."""


def read_private_file(path: Path, *, max_bytes: int) -> bytes:
    """The bytes of a file with secrets.

    Args:
        path: The file.
        max_bytes: The most that it may have.

    Raises:
        PrivateFileError: It cannot be read, has more bytes, others may read it, or others or its group may
            write it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise PrivateFileError(
            f"{path}: cannot be read: {error.strerror or error}; correct the path, or give the file to the "
            "server's user"
        ) from error
    if mode & _OPEN_TO_OTHERS:
        raise PrivateFileError(
            f"{path}: its permissions are {stat.S_IMODE(mode):04o}, so that others may read or change it; "
            f"run chmod 600 {path}, and replace what it holds if anybody else could read it"
        )
    if len(content) > max_bytes:
        raise PrivateFileError(
            f"{path}: it has more than {max_bytes} bytes, so it cannot be such a file; name another"
        )
    return content


def read_trusted_file(path: Path, *, max_bytes: int) -> bytes:
    """The first ``max_bytes`` + 1 bytes of a file that holds no secret and decides who or what is trusted.

    Args:
        path: The file.
        max_bytes: The most that it should have; the caller says what more than that means.

    Raises:
        PrivateFileError: Others than its owner and group may write it.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
            raise PrivateFileError(
                f"{path}: its permissions are {stat.S_IMODE(mode):04o}, so that others may change it; run "
                f"chmod o-w {path}, and check what it holds"
            )
        return file.read(max_bytes + 1)


def make_private_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, for the owner only; one that is there stays.

    Raises:
        OSError: It cannot be made.
    """
    if not folder.parent.is_dir():
        make_private_folder(folder.parent)
    try:
        folder.mkdir(mode=_FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():
            raise


def make_private_file(path: Path) -> None:
    """Makes an empty file for the owner only; one that is there is tightened.

    The file is not opened where it is there: closing it would free the locks that SQLite holds on it in this
    process (https://www.sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        OSError: It cannot be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))
    except FileExistsError:
        tighten(path)


def tighten(path: Path) -> bool:
    """Takes from group and others what they may do with a file or folder.

    Returns:
        False where they may do something and it stays so: it is another user's, or the file system does not
        let it change.

    Raises:
        FileNotFoundError: It is not there.
    """
    status = path.stat()
    wide = status.st_mode & PRIVATE_UMASK
    if wide and status.st_uid == os.geteuid():
        with suppress(OSError):
            path.chmod(stat.S_IMODE(status.st_mode) & ~PRIVATE_UMASK)
            wide = path.stat().st_mode & PRIVATE_UMASK
    return not wide
