"""Files that are analysed, read within a limit; and the page, which nobody else may read."""

import stat
from pathlib import Path
from typing import Final

from cli.errors import FileUnusable, OutputUnusable
from cli.files import NotRegular, kind_there, read_regular, write_whole
from cli.shown import shown_name

__all__ = ["MOST_BYTES", "check_page_path", "read_media", "write_page"]

MOST_BYTES: Final = 50_000_000
"""Longest file that is read: the longest video that is analysed; a picture may be far shorter."""

_OWNER_ONLY: Final = 0o600


def read_media(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        most_bytes: How long it may be.

    Returns:
        At most ``most_bytes + 1`` bytes: one more than may be, for whoever judges the length.

    Raises:
        FileUnusable: It cannot be read, or is not a regular file.
    """
    name = shown_name(path)
    try:
        return read_regular(path, most_bytes=most_bytes)
    except IsADirectoryError as error:
        raise FileUnusable(f"{name} is a folder: name the files in it, such as {name}/*.jpg") from error
    except NotRegular as error:
        raise FileUnusable(f"{name} is not a regular file: name a file with a picture or a video") from error
    except FileNotFoundError as error:
        raise FileUnusable(f"{name} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a valid path"
        raise FileUnusable(f"{name} cannot be read: {why}") from error


def check_page_path(path: Path, *, force: bool) -> None:
    """Says before the work, not after it, that a page could not be written.

    Raises:
        OutputUnusable: There is a file already and ``force`` is not set, what is there is not a regular
            file, or there is no folder for it.
    """
    name = shown_name(path)
    try:
        if path.is_dir():
            raise OutputUnusable(f"{name} is a folder: name a file, such as {name}/explained.html")
        if not path.parent.is_dir():
            raise OutputUnusable(f"there is no folder {shown_name(path.parent)} for the page: make it first")
        there = kind_there(path)
    except OSError as error:
        raise OutputUnusable(f"{name} cannot be written: {error.strerror or error}") from error
    if there is not None and not stat.S_ISREG(there):
        raise OutputUnusable(f"{name} is not a regular file, and is not replaced: name another file")
    if there is not None and not force:
        raise OutputUnusable(f"{name} already exists: name another file, or use --force")


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
        write_whole(path, page.encode("utf-8", "backslashreplace"), mode=_OWNER_ONLY, force=force)
    except FileExistsError as error:
        raise OutputUnusable(
            f"{shown_name(path)} already exists: name another file, or use --force"
        ) from error
    except OSError as error:
        raise OutputUnusable(f"{shown_name(path)} cannot be written: {error.strerror or error}") from error
