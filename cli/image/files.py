"""Reads and writes image files."""

from pathlib import Path
from typing import Final

from cli.errors import FileUnusable
from cli.files import read_whole, write_whole

__all__ = ["MOST_BYTES", "read_image", "write_image"]

MOST_BYTES: Final = 50_000_000
"""Longest file that is read; a server's limit is far lower."""
_FOR_ALL: Final = 0o666
"""The permissions of a new file before the umask takes some away."""


def read_image(path: Path) -> bytes:
    """Returns the content of a regular file.

    Raises:
        FileUnusable: It cannot be read, is not a regular file, or is longer than ``MOST_BYTES``.
    """
    return read_whole(path, most_bytes=MOST_BYTES)


def write_image(path: Path, data: bytes, *, force: bool) -> None:
    """Writes a file atomically.

    Args:
        path: The file.
        data: Its content.
        force: Whether an existing file is replaced.

    Raises:
        FileUnusable: The file exists and ``force`` is not set, or it cannot be written.
    """
    try:
        write_whole(path, data, mode=_FOR_ALL, force=force)
    except FileExistsError as error:
        raise FileUnusable(f"{path} already exists: give another with --out, or use --force") from error
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror or error}") from error
