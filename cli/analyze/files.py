"""Reads files to analyse, within a limit, and writes the page, which only its owner can read."""

import stat
from pathlib import Path
from typing import Final

from cli.errors import FileUnusable, OutputUnusable
from cli.files import NotRegular, kind_there, read_regular, write_whole
from cli.shown import shown_name

__all__ = ["MOST_BYTES", "read_media", "require_page_path", "write_page"]

MOST_BYTES: Final = 50_000_000
"""Longest file that is read: the limit of a video; the limit of an image is far lower."""

_OWNER_ONLY: Final = 0o600


def read_media(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Returns the content of a regular file.

    Args:
        path: The file.
        most_bytes: The greatest allowed length.

    Returns:
        At most ``most_bytes + 1`` bytes. The extra byte lets the caller detect a file that is too long.

    Raises:
        FileUnusable: The file cannot be read, or is not a regular file.
    """
    name = shown_name(path)
    try:
        return read_regular(path, most_bytes=most_bytes)
    except IsADirectoryError as error:
        raise FileUnusable(f"{name} is a folder: give the files in it, such as {name}/*.jpg") from error
    except NotRegular as error:
        raise FileUnusable(f"{name} is not a regular file: give a file with an image or a video") from error
    except FileNotFoundError as error:
        raise FileUnusable(f"{name} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a valid path"
        raise FileUnusable(f"{name} cannot be read: {why}") from error


def require_page_path(path: Path, *, force: bool) -> None:
    """Verifies before the work that the page can be written.

    Raises:
        OutputUnusable: The file exists and ``force`` is not set, the path is not a regular file, or its
            folder does not exist.
    """
    name = shown_name(path)
    try:
        if path.is_dir():
            raise OutputUnusable(f"{name} is a folder: give a file, such as {name}/explained.html")
        if not path.parent.is_dir():
            raise OutputUnusable(
                f"the folder {shown_name(path.parent)} for the page does not exist: create it"
            )
        there = kind_there(path)
    except OSError as error:
        raise OutputUnusable(f"{name} cannot be written: {error.strerror or error}") from error
    if there is not None and not stat.S_ISREG(there):
        raise OutputUnusable(f"{name} is not a regular file, and is not replaced: give another file")
    if there is not None and not force:
        raise OutputUnusable(f"{name} already exists: give another file, or use --force")


def write_page(path: Path, page: str, *, force: bool) -> None:
    """Writes a page atomically. Only its owner can read it.

    Args:
        path: The file.
        page: Its text.
        force: Whether an existing file is replaced.

    Raises:
        OutputUnusable: The file exists and ``force`` is not set, or it cannot be written.
    """
    try:
        write_whole(path, page.encode("utf-8", "backslashreplace"), mode=_OWNER_ONLY, force=force)
    except FileExistsError as error:
        raise OutputUnusable(
            f"{shown_name(path)} already exists: give another file, or use --force"
        ) from error
    except OSError as error:
        raise OutputUnusable(f"{shown_name(path)} cannot be written: {error.strerror or error}") from error
