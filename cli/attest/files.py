"""Reads the files of the command, within limits."""

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cli.errors import FileUnusable
from cli.files import read_whole
from facegate_protocol import public_key_der

__all__ = ["read_file", "read_public_key"]

_MOST_BYTES: Final = 16 * 1024 * 1024
"""A list of revoked keys is the longest file; evidence has at most 64 KiB."""


def read_file(path: Path) -> bytes:
    """Returns the content of a regular file.

    Raises:
        FileUnusable: It cannot be read, is not a regular file, or is too long.
    """
    return read_whole(path, most_bytes=_MOST_BYTES)


def read_public_key(path: Path) -> bytes:
    """Reads a P-256 public key in PEM and returns it as SubjectPublicKeyInfo, DER.

    Raises:
        FileUnusable: The file cannot be read, or contains no such key.
    """
    try:
        key = load_pem_public_key(read_file(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FileUnusable(f"{path} contains no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FileUnusable(f"the key in {path} is not on the curve P-256")
    return public_key_der(key)
