"""Key files of one folder: numbered by purpose, owner-only, made atomically, never overwritten.

The files of a purpose are named ``<purpose>-<number>.<suffix>``, such as ``evidence-0002.key``. The highest
number is the newest key, which new operations use. Older keys are still used for data that they encrypted or
signed.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.errors import ConfigurationError
from server.private_files import PrivateFileError, make_private_folder, read_private_file

__all__ = ["KeyFile", "KeysUnusable", "make_key_file", "read_key_files"]

_MAX_BYTES = 16_384


class KeysUnusable(ConfigurationError):
    """A key file is missing, damaged, or accessible to others than its owner."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One key file.

    Attributes:
        number: The number of the key, from 1; the highest is the newest.
        path: The path of the file.
        content: The bytes of the file.
    """

    number: int
    path: Path
    content: bytes = field(repr=False)


def read_key_files(folder: Path, *, purpose: str, suffix: str) -> tuple[KeyFile, ...]:
    """Returns the key files of a purpose, newest first.

    Raises:
        KeysUnusable: A file cannot be read, others may read or change it, or its number is unclear.
    """
    found: dict[int, KeyFile] = {}
    for path in sorted(folder.glob(f"{purpose}-*.{suffix}")):
        digits = path.stem.removeprefix(f"{purpose}-")
        if not (digits.isascii() and digits.isdigit() and int(digits) > 0) or int(digits) in found:
            raise KeysUnusable(f"{path}: expected a name such as {purpose}-0001.{suffix}, each number once")
        found[int(digits)] = KeyFile(number=int(digits), path=path, content=_read(path))
    return tuple(found[number] for number in sorted(found, reverse=True))


def make_key_file(
    folder: Path, *, purpose: str, suffix: str, number: int, content: Callable[[], bytes]
) -> None:
    """Makes a key file durably. If the file exists, for example from another process, it does not change.

    Args:
        folder: The folder; it is made if it is missing.
        purpose: The purpose of the key.
        suffix: The suffix of the file.
        number: The number of the key.
        content: Returns the bytes.

    Raises:
        KeysUnusable: The file cannot be written.
    """
    final = folder / f"{purpose}-{number:04d}.{suffix}"
    temporary = folder / f".{final.name}.{secrets.token_hex(8)}"
    try:
        make_private_folder(folder)
        if final.exists():
            return
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content())
                file.flush()
                os.fsync(file.fileno())
            # Unlike a rename, a link fails if another process has just made the file.
            with suppress(FileExistsError):
                os.link(temporary, final)
        finally:
            temporary.unlink()
        _sync_folder(folder)
    except OSError as error:
        raise KeysUnusable(
            f"{final}: cannot be written: {error.strerror or error}; give the server a folder that it owns"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return read_private_file(path, max_bytes=_MAX_BYTES)
    except PrivateFileError as error:
        raise KeysUnusable(str(error)) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
