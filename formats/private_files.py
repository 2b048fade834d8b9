"""Writes files that are never seen in part. The one module of this room that does output."""

import os
import secrets
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""The permissions of a file for its owner only."""


def write_atomically(path: Path, content: bytes, *, mode: int = PRIVATE, over: bool) -> None:
    """Write a file that appears under its name when it is complete and its content durable.

    A process that is killed may leave a copy beside it, with a dot and the file's name as a prefix.

    Args:
        path: The file; its folder exists.
        mode: The permissions of the file, without those that the umask takes away.
        over: Whether an existing file is replaced.

    Raises:
        FileExistsError: There is one, and ``over`` is false.
        OSError: The file cannot be written; for a new one also if the file system has no hard links.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if over:
            temporary.replace(path)
        else:
            # Unlike a rename, a link fails if another process has just made the file.
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


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
