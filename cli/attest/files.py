"""Files that the command reads, within limits."""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cli.errors import FileUnusable
from device_integrity.transcript import public_key_der

__all__ = ["read_file", "read_public_key"]

_MOST_BYTES: Final = 16 * 1024 * 1024
"""A list of revoked keys is the longest; evidence itself has at most 64 KiB."""


def read_file(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        FileUnusable: It cannot be read, is no regular file, or is too long.
    """
    try:
        # Without waiting: a pipe that nobody writes to would hold up the command for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise FileUnusable(f"{path} is no regular file")
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise FileUnusable(f"{path} has more than {_MOST_BYTES} bytes")
    return data


def read_public_key(path: Path) -> bytes:
    """A P-256 public key in PEM, as SubjectPublicKeyInfo, DER.

    Raises:
        FileUnusable: The file cannot be read, or holds no such key.
    """
    try:
        key = load_pem_public_key(read_file(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FileUnusable(f"{path} holds no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FileUnusable(f"the key in {path} is not on the curve P-256")
    return public_key_der(key)
