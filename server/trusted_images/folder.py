"""Trusted images in a folder: walked segment by segment, so that nothing can lead out of it.

Every segment is looked up in the open folder before it (``openat``), never by a path, and no link is
followed: neither a link that lies there nor one that is put there between two looks can lead elsewhere.
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
# Without O_NONBLOCK a pipe that is put in the file's place after the first look would block for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})


class ImageFolder:
    """A folder of trusted images."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder; links on the way to it are the operator's and are followed."""
        self._folder = folder

    def check(self) -> None:
        """Looks whether the folder is there and can be opened.

        Raises:
            OSError: It is not.
        """
        os.close(os.open(self._folder, _FOLDER))

    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes:
        """The bytes of a file.

        Blocks; at most ``max_bytes + 1`` bytes are read.

        Args:
            segments: The folders below this one and the file's name, without ``.``, ``..``, ``/`` and NUL.
            max_bytes: The most that the file may have.

        Raises:
            ReferenceInvalid: A link is on the way, or at its end is a link, a file that has another name as
                well (a hard link), or no plain file.
            ReferenceNotFound: Nothing is there.
            ReferencedImageTooLarge: The file has more than ``max_bytes`` bytes.
            StoreUnavailable: The folder cannot be read.
        """
        *folders, name = (segment.encode() for segment in segments)
        try:
            handle = os.open(self._folder, _FOLDER)
        except OSError as error:
            raise StoreUnavailable(_name_of(error)) from error
        try:
            # One folder at a time is open, however deep the reference goes.
            for folder in folders:
                handle = _entered(handle, folder)
            return _read_file(handle, name, max_bytes)
        except OSError as error:
            raise _translated(error) from error
        finally:
            os.close(handle)


def _entered(folder: int, name: bytes) -> int:
    """Opens a folder in ``folder``, and closes ``folder``."""
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise _over_a_link()
    inner = os.open(name, _INNER, dir_fd=folder)
    os.close(folder)
    return inner


def _read_file(folder: int, name: bytes, max_bytes: int) -> bytes:
    # Looked at before it is opened: to open a device may already do something.
    _check_plain(os.stat(name, dir_fd=folder, follow_symlinks=False))
    with open(os.open(name, _FILE, dir_fd=folder), "rb", buffering=0) as file:  # noqa: PTH123 - relative to a handle
        status = os.fstat(file.fileno())
        _check_plain(status)
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


def _check_plain(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _over_a_link()
    if not stat.S_ISREG(status.st_mode):
        raise ReferenceInvalid("leads to something that is not a file")
    if status.st_nlink > 1:
        raise ReferenceInvalid(
            "leads to a file that has another name as well (a hard link), which may lie outside of the store"
        )


def _over_a_link() -> ReferenceInvalid:
    return ReferenceInvalid("leads over a link; links are not followed")


def _translated(error: OSError) -> ReferenceInvalid | ReferenceNotFound | StoreUnavailable:
    if error.errno == errno.ELOOP:
        # Put there after the first look.
        return _over_a_link()
    if error.errno in _NOT_THERE:
        return ReferenceNotFound("there is nothing under the reference")
    return StoreUnavailable(_name_of(error))


def _name_of(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
