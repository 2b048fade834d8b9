"""Trusted images in a folder, opened segment by segment, so that no reference can leave the folder.

Every segment is opened relative to the open folder before it (``openat``), never by a path, and links are not
followed. Neither an existing link nor one that is created between two operations can lead elsewhere.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from server.trusted_images.errors import (
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
)

__all__ = ["ImageFolder"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_INNER: Final = _FOLDER | os.O_NOFOLLOW
# Without O_NONBLOCK, a pipe that replaces the file after the first test would block for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})


class ImageFolder:
    """A folder of trusted images."""

    def __init__(self, folder: Path) -> None:
        """Sets the folder. Links in its own path belong to the operator and are followed."""
        self._folder = folder

    def check(self) -> None:
        """Verifies that the folder exists and can be opened.

        Raises:
            OSError: The folder cannot be opened.
        """
        os.close(os.open(self._folder, _FOLDER))

    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes:
        """Returns the bytes of a file.

        Blocks; at most ``max_bytes + 1`` bytes are read.

        Args:
            segments: The folders below this one and the name of the file, without ``.``, ``..``, ``/`` and
                NUL.
            max_bytes: The maximum size of the file.

        Raises:
            ReferenceInvalid: A segment is a link, or the file has several hard links or is not a regular
                file.
            ReferenceNotFound: The file does not exist.
            ReferencedImageTooLarge: The file has more than ``max_bytes`` bytes.
            StoreUnavailable: The folder cannot be read.
        """
        *folders, name = (segment.encode() for segment in segments)
        try:
            handle = os.open(self._folder, _FOLDER)
        except OSError as error:
            raise StoreUnavailable(_name_of(error)) from error
        try:
            # Only one folder is open at a time, regardless of the depth of the reference.
            for folder in folders:
                handle = _entered(handle, folder)
            return _read_file(handle, name, max_bytes)
        except OSError as error:
            raise _translated(error) from error
        finally:
            os.close(handle)


def _entered(folder: int, name: bytes) -> int:
    """Opens the folder ``name`` in ``folder``, closes ``folder``, and returns the new handle."""
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise _over_a_link()
    inner = os.open(name, _INNER, dir_fd=folder)
    os.close(folder)
    return inner


def _read_file(folder: int, name: bytes, max_bytes: int) -> bytes:
    # The type is tested before the file is opened, because opening a device may have effects.
    _require_plain_file(os.stat(name, dir_fd=folder, follow_symlinks=False))
    with open(os.open(name, _FILE, dir_fd=folder), "rb", buffering=0) as file:  # noqa: PTH123 - relative to a handle
        status = os.fstat(file.fileno())
        _require_plain_file(status)
        if status.st_size > max_bytes:
            raise ReferencedImageTooLarge(status.st_size, max_bytes)
        # A file may grow while it is read.
        pieces: list[bytes] = []
        size = 0
        while size <= max_bytes:
            piece = file.read(max_bytes + 1 - size)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
    raise ReferencedImageTooLarge(size, max_bytes)


def _require_plain_file(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _over_a_link()
    if not stat.S_ISREG(status.st_mode):
        raise ReferenceInvalid("names something that is not a regular file")
    if status.st_nlink > 1:
        raise ReferenceInvalid("names a file with several hard links; another one may be outside the store")


def _over_a_link() -> ReferenceInvalid:
    return ReferenceInvalid("contains a link; links are not followed")


def _translated(error: OSError) -> ReferenceInvalid | ReferenceNotFound | StoreUnavailable:
    if error.errno == errno.ELOOP:
        # The link was created after the first test.
        return _over_a_link()
    if error.errno in _NOT_THERE:
        return ReferenceNotFound("there is nothing under the reference")
    return StoreUnavailable(_name_of(error))


def _name_of(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
