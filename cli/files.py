"""Reads files within a limit, and writes them atomically, without replacing others by accident."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cli.errors import CommandError, FileUnusable
from cli.shown import shown_name
from facegate_protocol import public_key_der
from formats.private_files import PRIVATE, write_atomically

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})


_INSTEAD: Final = "give another file, or remove it first"


class NotRegular(OSError):
    """The path is a pipe or a device, or for writing a link."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file")


def read_regular(path: Path, *, most_bytes: int) -> bytes:
    """Return the content of a regular file, or of the target of a link.

    Returns:
        At most ``most_bytes + 1`` bytes. The extra byte lets the caller detect a file that is too long.
    """
    # Non-blocking: a pipe without a writer would block the command forever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise NotRegular
        return stream.read(most_bytes + 1)


def read_whole(path: Path, *, most_bytes: int) -> bytes:
    """Return the content of a regular file, or of the target of a link."""
    try:
        data = read_regular(path, most_bytes=most_bytes)
    except NotRegular as error:
        raise FileUnusable(f"{path} is not a regular file") from error
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > most_bytes:
        raise FileUnusable(f"{path} has more than {most_bytes} bytes")
    return data


def write_file(
    path: Path,
    content: bytes,
    *,
    mode: int = PRIVATE,
    force: bool = False,
) -> None:
    """Write a file atomically, in place of one that exists only with ``force``.

    Args:
        mode: Its permissions; by default only its owner can read it.
    """
    name = shown_name(path)
    try:
        _write(path, content, mode=mode, force=force)
    except FileExistsError as error:
        raise CommandError(f"{name} already exists: {_INSTEAD}") from error
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror or error}") from error


def _write(path: Path, content: bytes, *, mode: int, force: bool) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if force:
        # Regular files only: as root, a rename would also replace ``/dev/null``.
        there = kind_there(path)
        if there is not None and not stat.S_ISREG(there):
            raise NotRegular
        write_atomically(path, content, mode=mode, over=True)
        return
    try:
        write_atomically(path, content, mode=mode, over=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        write_atomically(path, content, mode=mode, over=True)


def kind_there(path: Path) -> int | None:
    """Return the ``st_mode`` of a path (type and permissions); None if the path does not exist.

    A symbolic link is not followed.
    """
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


MOST_IMAGE_BYTES: Final = 50_000_000
"""Longest file that is read; a server's limit is far lower."""
FOR_ALL: Final = 0o666
"""The permissions of a new file before the umask takes some away."""


def read_image(path: Path) -> bytes:
    """Return the content of a regular file."""
    return read_whole(path, most_bytes=MOST_IMAGE_BYTES)


_MOST_EVIDENCE_BYTES: Final = 16 * 1024 * 1024
"""A list of revoked keys is the longest file; evidence has at most 64 KiB."""


def read_evidence(path: Path) -> bytes:
    """Return the content of a regular file."""
    return read_whole(path, most_bytes=_MOST_EVIDENCE_BYTES)


def read_public_key(path: Path) -> bytes:
    """Read a P-256 public key in PEM and return it as SubjectPublicKeyInfo, DER."""
    try:
        key = load_pem_public_key(read_evidence(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FileUnusable(f"{path} contains no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FileUnusable(f"the key in {path} is not on the curve P-256")
    return public_key_der(key)


def require_file_path(path: Path) -> None:
    """Verify before the work that a file can be written, and that there is none yet."""
    name = shown_name(path)
    try:
        if path.is_dir():
            raise CommandError(f"{name} is a folder: give a file, such as {name}/file")
        if not path.parent.is_dir():
            raise CommandError(f"the folder {shown_name(path.parent)} does not exist: create it")
        there = kind_there(path)
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror or error}") from error
    if there is not None and not stat.S_ISREG(there):
        raise CommandError(f"{name} is not a regular file, and is not replaced: give another file")
    if there is not None:
        raise CommandError(f"{name} already exists: {_INSTEAD}")
