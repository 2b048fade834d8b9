"""Key-encryption keys that this process holds: from a file or from the environment (AES-256-GCM)."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.key_encryption.errors import KeyEncryptionUnavailable, KeyNotDecrypted
from server.private_files import PrivateFileError, read_private_file

__all__ = ["LocalKey", "key_from_environment", "key_from_file"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_MAX_FILE_BYTES = 4_096


class LocalKey:
    """A key-encryption key in memory."""

    def __init__(self, name: str, key: bytes) -> None:
        """Sets the name for files and the key, 32 bytes."""
        self.name = name
        self._cipher = AESGCM(key)

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``. Returns nonce (12 bytes), ciphertext and tag (16 bytes)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, context)

    def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``."""
        try:
            return self._cipher.decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as error:
            raise KeyNotDecrypted(
                f"{self.name}: this key did not encrypt the file, or the file was altered"
            ) from error


def key_from_file(path: Path) -> LocalKey:
    """Returns the key in a file that only its owner, and perhaps its group, can read.

    Raises:
        KeyEncryptionUnavailable: The file cannot be read, or does not hold 32 bytes as base64.
    """
    try:
        text = read_private_file(path, max_bytes=_MAX_FILE_BYTES)
    except PrivateFileError as error:
        raise KeyEncryptionUnavailable(str(error)) from error
    return LocalKey(f"file:{path.name}", _key(text, str(path)))


def key_from_environment(variable: str, environment: Mapping[str, str]) -> LocalKey:
    """Returns the key in an environment variable.

    Raises:
        KeyEncryptionUnavailable: The variable is not set, or does not hold 32 bytes as base64.
    """
    text = environment.get(variable)
    if text is None:
        raise KeyEncryptionUnavailable(
            f"the environment variable {variable} is not set; keys.encryption names it"
        )
    return LocalKey(f"environment:{variable}", _key(text.encode(), variable))


def _key(text: bytes, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyEncryptionUnavailable(
            f"{where}: expected base64; make a key with: openssl rand -base64 32"
        ) from error
    if len(key) != _KEY_BYTES:
        raise KeyEncryptionUnavailable(
            f"{where}: expected {_KEY_BYTES} bytes as base64, not {len(key)}; make a key with: "
            "openssl rand -base64 32"
        )
    return key
