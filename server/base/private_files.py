"""Permissions of files that the server reads or makes.

Files that the server reads: users other than the owner and the group may not write them, because the files
decide whom the server trusts. The group may write them, as the umask of many machines allows. The group may
also read files with secrets, as it can read the files that Kubernetes mounts from a Secret. No other user may
read files with secrets, and only the owner may write them. The mode is that of the opened file, so links to
it make no difference.

Files that the server makes: folders have mode 0700 and files 0600, regardless of the umask. If somebody
left wider permissions, they are restricted, provided that the server's user owns the file.

::

    PrivateFileError    a file with secrets cannot be read, is too large, or is accessible to others;
                        or others may write a file that has no secrets
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

from formats.private_files import PRIVATE, sync_folder, write_atomically
from server.base.errors import ConfigurationError

PRIVATE_UMASK: Final = 0o077
"""The umask of a process that writes no file for others."""

_OPEN_TO_OTHERS: Final = stat.S_IWGRP | stat.S_IRWXO
_FOLDER_MODE: Final = 0o700


class PrivateFileError(ConfigurationError):
    """A file cannot be read, is too large, or is accessible to others."""


def read_private_file(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a file with secrets.

    Args:
        max_bytes: The maximum size of the file.

    Raises:
        PrivateFileError: The file cannot be read or is larger, others may read it, or others or its group may
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
            f"run chmod 600 {path}, and replace its content if another user could read it"
        )
    if len(content) > max_bytes:
        raise PrivateFileError(
            f"{path}: it has more than {max_bytes} bytes, so it is not a file of this kind; name another"
        )
    return content


def read_trusted_file(path: Path, *, max_bytes: int) -> bytes:
    """Return up to ``max_bytes`` + 1 bytes of a file without secrets that decides who or what is trusted.

    Args:
        max_bytes: The maximum size of the file; the caller handles a larger one.

    Raises:
        PrivateFileError: Users other than the owner and the group may write the file.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
            raise PrivateFileError(
                f"{path}: its permissions are {stat.S_IMODE(mode):04o}, so that others may change it; run "
                f"chmod o-w {path}, and verify its content"
            )
        return file.read(max_bytes + 1)


def make_private_folder(folder: Path) -> None:
    """Make a folder and its missing parents, for the owner only. An existing folder does not change.

    Raises:
        OSError: The folder cannot be made.
    """
    if not folder.parent.is_dir():
        make_private_folder(folder.parent)
    try:
        folder.mkdir(mode=_FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():
            raise


def make_private_file(path: Path) -> None:
    """Make an empty file for the owner only, or restrict the permissions of an existing one.

    An existing file is not opened, because closing it would release the locks that SQLite holds on it in this
    process (https://www.sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        OSError: The file cannot be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    except FileExistsError:
        tighten(path)


def write_private_file(path: Path, content: bytes, *, over: bool) -> None:
    """Write a file for the owner only. It appears under its name when it is complete and durable.

    A process that is killed may leave a copy beside it, which ``remove_interrupted`` removes.

    Args:
        path: The file; its folder exists.
        over: Whether an existing file is replaced; otherwise it stays as it is.

    Raises:
        OSError: The file cannot be written.
    """
    with suppress(FileExistsError):
        write_atomically(path, content, over=over)
    sync_folder(path.parent)


def remove_private_file(path: Path) -> None:
    """Delete a file durably, with every copy that an interrupted ``write_private_file`` left beside it.

    Raises:
        OSError: The file does not exist, or cannot be deleted.
    """
    remove_interrupted(path)
    path.unlink()
    sync_folder(path.parent)


def remove_interrupted(path: Path) -> None:
    """Delete the copies that interrupted writes of a file left, under any suffix that it had since.

    No other process may write the file meanwhile.

    Raises:
        OSError: A copy cannot be deleted.
    """
    for copy in path.parent.glob(f".{path.stem}.*"):
        copy.unlink(missing_ok=True)


def tighten(path: Path) -> bool:
    """Remove the permissions of group and others on a file or folder.

    Returns:
        Whether they have no permission now. They keep theirs if another user owns the file, or if the file
        system does not allow the change.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    status = path.stat()
    wide = status.st_mode & PRIVATE_UMASK
    if wide and status.st_uid == os.geteuid():
        with suppress(OSError):
            path.chmod(stat.S_IMODE(status.st_mode) & ~PRIVATE_UMASK)
            wide = path.stat().st_mode & PRIVATE_UMASK
    return not wide


_Content = TypeVar("_Content")


class WatchedFile(Generic[_Content]):
    """The content of a file when it was last read. Reading blocks for a moment."""

    def __init__(self, path: Path, reader: Callable[[Path], _Content]) -> None:
        """Read the file.

        Args:
            reader: Reads the file, or raises a ``ConfigurationError``.

        Raises:
            ConfigurationError: The file cannot be read.
        """
        self.path = path
        self._reader = reader
        self._seen = self._state()
        self.content = reader(path)

    def refresh(self) -> bool:
        """Read the file again if it changed; return whether it did.

        Raises:
            ConfigurationError: The file cannot be read; ``content`` does not change.
        """
        # Taken before the file is read, so that a concurrent write is noticed by the next call.
        seen = self._state()
        if seen == self._seen:
            return False
        self.content = self._reader(self.path)
        self._seen = seen
        return True

    def _state(self) -> tuple[int, int, int, int]:
        try:
            return file_state(self.path)
        except OSError as error:
            raise ConfigurationError(f"{self.path}: cannot be read: {error.strerror or error}") from error


def file_state(path: Path) -> tuple[int, int, int, int]:
    """Return values that change when a file is written or replaced: its times, size and inode.

    Raises:
        OSError: The file does not exist.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
