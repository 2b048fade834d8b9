"""Files with secrets that are handed to the server: who else may read or change them is looked at first.

A group may read them, as it does what Kubernetes mounts from a Secret. Nobody else may read them, and nobody
but the owner may write them. The mode is that of the opened file, so links to it make no difference.

::

    PrivateFileError    the file cannot be read, is too large, or is open to others
"""

import os
import stat
from pathlib import Path
from typing import Final

from server.errors import ConfigurationError

__all__ = ["PrivateFileError", "read_private_file"]

_OPEN_TO_OTHERS: Final = stat.S_IWGRP | stat.S_IRWXO


class PrivateFileError(ConfigurationError):
    """A file with secrets cannot be read, is too large, or is open to others."""


def read_private_file(path: Path, *, max_bytes: int) -> bytes:
    """The bytes of a file with secrets.

    Args:
        path: The file.
        max_bytes: The most that it may have.

    Raises:
        PrivateFileError: It cannot be read, has more bytes, others may read it, or others or its group may
            write it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise PrivateFileError(
            f"{path}: cannot be read: {error.strerror or error}; correct the path, or give the file to the "
            "server's user"
        ) from error
    if mode & _OPEN_TO_OTHERS:
        raise PrivateFileError(
            f"{path}: its permissions are {stat.S_IMODE(mode):04o}, so that others may read or change it; "
            f"run chmod 600 {path}, and replace what it holds if anybody else could read it"
        )
    if len(content) > max_bytes:
        raise PrivateFileError(
            f"{path}: it has more than {max_bytes} bytes, and so is no such file; name another"
        )
    return content
