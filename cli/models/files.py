"""File system functions for pulls, and their errors in words."""

import asyncio
import ctypes
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.errors import FolderUnusable

__all__ = [
    "CHUNK",
    "exchange",
    "link_or_copy",
    "sha256_of",
    "size_text",
    "sync_folder",
    "to_the_end",
    "writing",
]

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_NO_EXCHANGE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


async def to_the_end(function: Callable[..., object], *arguments: object) -> None:
    """Runs ``function`` in a thread. If the caller is cancelled, it still waits for the end of the thread."""
    running = asyncio.create_task(asyncio.to_thread(function, *arguments))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Converts file system errors in the block to ``FolderUnusable`` about ``path``."""
    try:
        yield
    except OSError as error:
        raise FolderUnusable(
            f"{path} cannot be written: {error.strerror or error}. Free some space, correct the permissions, "
            "or give another folder; then repeat the command. The fetched data is kept."
        ) from error


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file, lower-case hex.

    Raises:
        OSError: It cannot be read, or is not a regular file.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` durable.

    Raises:
        OSError: The system does not support it.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def link_or_copy(source: Path, target: Path) -> None:
    """Creates a second name for a file, or a durable copy if the file system has no links.

    Raises:
        OSError: Neither is possible.
    """
    try:
        target.hardlink_to(source)
    except OSError:
        with source.open("rb") as reading, target.open("wb") as stream:
            while chunk := reading.read(CHUNK):
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())


def exchange(first: Path, second: Path) -> bool:
    """Exchanges the names of two folders atomically.

    Returns:
        False if the system or the file system does not support it; nothing is changed then.

    Raises:
        OSError: They cannot be renamed.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False  # Not Linux, or a C library from before 2018.
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(second))


def size_text(size: int | None) -> str:
    """Returns a size for people, such as ``3.8 MB``."""
    if size is None:
        return "unknown"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"
