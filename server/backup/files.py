"""Copies sealed objects between stores, and packs the key files of a server into one encrypted file.

That file is a JSON object with a format and, as base64, nonce (12 bytes), ciphertext and tag (16 bytes) of
AES-256-GCM. The plaintext is a JSON object of file contents by relative path. The key lies in a file of its
own: a person with this key and the backups of database, objects and keys can open everything.

::

    BackupError           a backup cannot be made or restored
        BackupDamaged     the backup is incomplete, altered, or of another version
        TargetNotEmpty    the place to restore to already has data
"""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final

from server.base.errors import ConfigurationError
from server.base.private_files import (
    PrivateFileError,
    make_private_folder,
    read_private_file,
    remove_interrupted,
    write_private_file,
)
from server.keyring.key_encryption import KeyEncryptionUnavailable, KeyNotDecrypted, LocalKey, key_from_file
from server.storage.errors import ObjectNotFound
from server.storage.objects import ObjectStore


class BackupError(ConfigurationError):
    """A backup cannot be made or restored."""


class BackupDamaged(BackupError):
    """The backup is incomplete, altered, encrypted under another key, or of another version."""


class TargetNotEmpty(BackupError):
    """The place to restore to already has data, which a restore never overwrites."""


_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class CopySummary:
    """The numbers of objects that a copy handled.

    Attributes:
        present: Objects that the target had already; their content never changes.
        gone: Objects that were erased from the source while the copy ran.
        pruned: Objects that were deleted from the target, because the source has them no more.
    """

    copied: int
    present: int
    gone: int
    pruned: int


_PREFIX: Final = "evidence"


async def copy_objects(
    source: ObjectStore,
    target: ObjectStore,
    *,
    prune: bool = False,
    progress: Callable[[int], None],
) -> CopySummary:
    """Copy the objects that the target lacks. May be repeated after an interruption.

    Args:
        prune: Whether objects that the source has no more are deleted from the target, so that a backup keeps
            nothing that was erased.
        progress: Gets the number of objects handled so far.

    Raises:
        StorageUnavailable: A store does not answer.
        BackupDamaged: A copy differs from its source.
    """
    have = {info.key async for info in target.list(_PREFIX)}
    wanted = {info.key async for info in source.list(_PREFIX)}
    missing = sorted(wanted - have)
    copied = gone = 0
    for start in range(0, len(missing), _AT_ONCE):
        done = await asyncio.gather(
            *(_copy(source, target, key) for key in missing[start : start + _AT_ONCE])
        )
        copied += sum(done)
        gone += len(done) - sum(done)
        progress(copied + gone)
    pruned = sorted(have - wanted) if prune else []
    for key in pruned:
        await target.delete(key)
    return CopySummary(copied=copied, present=len(have & wanted), gone=gone, pruned=len(pruned))


async def _copy(source: ObjectStore, target: ObjectStore, key: str) -> bool:
    """Copy an object; return False if it was erased meanwhile."""
    try:
        data = await source.get(key)
    except ObjectNotFound:
        return False
    await target.put(key, data)
    if await target.get(key) != data:
        raise BackupDamaged(f"the copy of {key} differs from its source; test the target's storage")
    return True


_FORMAT: Final = "facegate-keys/1"
_MAX_KEY_FILE: Final = 16_384
_MAX_PACKED: Final = 16 * 1024 * 1024


def pack_keys(folder: Path, out: Path, *, key_file: Path) -> int:
    """Write all files of a key folder, encrypted, into one file, which must not exist.

    Args:
        folder: The key folder, with the folders of tenants.
        key_file: A file with 32 bytes as base64, which encrypts the backup.

    Returns:
        The number of key files.

    Raises:
        BackupError: A file cannot be read or written, or others may read one.
        TargetNotEmpty: ``out`` exists.
    """
    key = _key(key_file)
    try:
        contents = {
            path.relative_to(folder).as_posix(): base64.b64encode(
                read_private_file(path, max_bytes=_MAX_KEY_FILE)
            ).decode()
            for path in _visible(folder)
        }
    except PrivateFileError as error:
        raise BackupError(str(error)) from error
    if not contents:
        raise BackupError(f"{folder}: it has no key files; name the folder of keys.folder")
    if out.exists():
        raise TargetNotEmpty(f"{out}: it exists already; name another file")
    sealed = key.encrypt(json.dumps(contents).encode(), context=_FORMAT.encode())
    _write(out, json.dumps({"format": _FORMAT, "keys": base64.b64encode(sealed).decode()}).encode() + b"\n")
    return len(contents)


def key_names_sha256(folder: Path) -> str:
    """Return a hash of the names of the files that ``pack_keys`` packs, in hexadecimal.

    The audit log keeps it with each backup, to tell whether keys were made, retired or destroyed since.
    """
    names = "\n".join(path.relative_to(folder).as_posix() for path in _visible(folder))
    return sha256(names.encode()).hexdigest()


def unpack_keys(source: Path, folder: Path, *, key_file: Path) -> int:
    """Restore the files of a backup into a folder without other key files.

    May be repeated after an interruption: files that were restored already stay.

    Args:
        source: The file that ``pack_keys`` wrote.
        folder: The key folder; it is made if it is missing.

    Returns:
        The number of key files.

    Raises:
        BackupDamaged: The backup is altered, cut off, or encrypted under another key.
        TargetNotEmpty: The folder has a file that is not in the backup, or that differs from it.
        BackupError: A file cannot be read or written.
    """
    contents = _opened(source, _key(key_file))
    try:
        for path in _visible(folder):
            if path.read_bytes() != contents.get(path.relative_to(folder).as_posix()):
                raise TargetNotEmpty(f"{path}: it exists already; a restore never overwrites keys")
        for name, content in contents.items():
            path = folder.joinpath(*PurePosixPath(name).parts)
            make_private_folder(path.parent)
            remove_interrupted(path)
            _write(path, content)
    except OSError as error:
        raise BackupError(f"{folder}: cannot be restored: {error.strerror or error}") from error
    return len(contents)


def _visible(folder: Path) -> list[Path]:
    """Return the files of a folder, without the copies that interrupted writes left."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _opened(source: Path, key: LocalKey) -> dict[str, bytes]:
    try:
        data = read_private_file(source, max_bytes=_MAX_PACKED)
    except PrivateFileError as error:
        raise BackupError(str(error)) from error
    try:
        packed = json.loads(data)
        if packed["format"] != _FORMAT:
            raise BackupDamaged(f"{source}: it is not a backup of keys that this version reads ({_FORMAT})")
        sealed = base64.b64decode(packed["keys"], validate=True)
        plain = key.decrypt(sealed, context=_FORMAT.encode())
        contents = {
            name: base64.b64decode(content, validate=True) for name, content in json.loads(plain).items()
        }
    except (KeyNotDecrypted, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackupDamaged(
            f"{source}: it was altered, is cut off, or was encrypted under another key"
        ) from error
    for name in contents:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise BackupDamaged(f"{source}: it names a file outside of the folder")
    return contents


def _key(key_file: Path) -> LocalKey:
    try:
        return key_from_file(key_file)
    except KeyEncryptionUnavailable as error:
        raise BackupError(str(error)) from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_private_file(path, content, over=False)
    except OSError as error:
        raise BackupError(f"{path}: cannot be written: {error.strerror or error}") from error
