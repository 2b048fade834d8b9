"""Writes private and readable files that are never seen in part. No other module of this room does output."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""The permissions of a file for its owner only."""
READABLE: Final = 0o644
"""The permissions of a file that everybody may read."""


@contextmanager
def appearing(path: Path, *, mode: int = PRIVATE, over: bool = True) -> Iterator[BufferedRandom]:
    """Open a new file that appears as ``path`` at the end of the block, complete and its content durable.

    It does not if the block raises. A process that is killed may leave a copy beside it, with a dot and the
    file's name as a prefix, which the next call for the same file removes. The file's ``name`` is the path of
    that copy, for programs that write themselves.

    Args:
        path: The file; its folder exists.
        mode: The permissions of the file, without those that the umask takes away.
        over: Whether an existing file is replaced.

    Raises:
        FileExistsError: There is one, and ``over`` is false.
        OSError: The file cannot be written; for a new one also if the file system has no hard links.
    """
    _remove_left(path)
    opened = _opened_copy(path, mode)
    temporary = Path(opened.name)
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if over:
                temporary.replace(path)
            else:
                # Unlike a rename, a link fails if another process has just made the file.
                path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _opened_copy(path: Path, mode: int) -> BufferedRandom:
    """Open a new copy with a lock, which says that its writer lives."""
    while True:
        temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
        opened = open(temporary, "x+b", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115
        with suppress(OSError):  # A file system without locks: nothing is removed there.
            fcntl.flock(opened, fcntl.LOCK_EX)
        if os.fstat(opened.fileno()).st_nlink:
            return opened
        # Another process took the copy for an interrupted one before it had its lock.
        opened.close()


def _remove_left(path: Path) -> None:
    """Delete the copies of a file whose writers were interrupted."""
    copies = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}")
    with suppress(OSError):
        for file in path.parent.iterdir():
            if copies.fullmatch(file.name):
                _remove_unlocked(file)


def _remove_unlocked(copy: Path) -> None:
    with suppress(OSError):
        handle = os.open(copy, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            copy.unlink()
        finally:
            os.close(handle)


def write_atomically(path: Path, content: bytes, *, mode: int = PRIVATE, over: bool) -> None:
    """Write a whole file; see ``appearing``."""
    with appearing(path, mode=mode, over=over) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: The folder cannot be opened or synchronised.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
