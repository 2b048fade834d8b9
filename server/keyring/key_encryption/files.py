"""The encrypted form of a key file: a JSON object in place of the key."""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from server.configuration.tables import (
    AwsKmsEncryption,
    EnvironmentEncryption,
    FileEncryption,
    KeyEncryptionEntry,
    VaultTransitEncryption,
)
from server.keyring.key_encryption.services import (
    AwsKms,
    KeyEncryption,
    KeyEncryptionUnavailable,
    KeyNotDecrypted,
    VaultTransit,
    key_from_environment,
    key_from_file,
)

__all__ = ["FileContext", "KeyFileCipher", "is_encrypted", "open_key_encryption"]

_FORMAT: Final = "facegate-encrypted-key/1"
_START: Final = b'{"format": "' + _FORMAT.encode() + b'"'
_DOMAIN: Final = b"facegate/v1/key-file"


@dataclass(frozen=True, slots=True)
class FileContext:
    """The purpose and the owner of a key file. It cannot be decrypted for another purpose or owner.

    Attributes:
        purpose: The purpose of the key, such as ``evidence``.
        tenant: The tenant that owns the key; empty for a key of the server.
    """

    purpose: str
    tenant: str = ""

    def as_bytes(self) -> bytes:
        """Returns the domain and both fields, each with its length before it."""
        fields = (self.purpose.encode(), self.tenant.encode())
        return _DOMAIN + b"".join(len(field).to_bytes(2, "big") + field for field in fields)


def is_encrypted(content: bytes) -> bool:
    """Returns whether a key file's content is encrypted. A bare key is 32 bytes or PEM, never this."""
    return content.startswith(_START)


class KeyFileCipher:
    """Encrypts the content of key files with the first of several keys, and decrypts with any of them."""

    def __init__(self, encryptions: Sequence[KeyEncryption]) -> None:
        """Sets the keys; without any, content stays as it is."""
        self._encryptions = tuple(encryptions)

    def encrypt(self, content: bytes, context: FileContext) -> bytes:
        """Returns the content for a file.

        Raises:
            KeyEncryptionUnavailable: The key cannot be reached or may not be used.
        """
        if not self._encryptions:
            return content
        encryption = self._encryptions[0]
        ciphertext = encryption.encrypt(content, context=context.as_bytes())
        fields = {
            "format": _FORMAT,
            "encryption": encryption.name,
            "ciphertext": base64.b64encode(ciphertext).decode(),
        }
        return json.dumps(fields).encode() + b"\n"

    def decrypt(self, content: bytes, context: FileContext) -> bytes:
        """Returns the key in a file's content, encrypted or not.

        Raises:
            KeyEncryptionUnavailable: No entry of the settings has the key, it cannot be reached, or it may
                not be used.
            KeyNotDecrypted: The content was altered or is not a file of this purpose.
        """
        if not is_encrypted(content):
            return content
        name, ciphertext = _parsed(content)
        for encryption in self._encryptions:
            if encryption.name == name:
                return encryption.decrypt(ciphertext, context=context.as_bytes())
        raise KeyEncryptionUnavailable(
            f"it is encrypted under {name}, which keys.encryption does not name; add that entry"
        )

    def current(self, content: bytes) -> bool:
        """Returns whether the content is as ``encrypt`` would make it now."""
        if not self._encryptions:
            return not is_encrypted(content)
        return is_encrypted(content) and _parsed(content)[0] == self._encryptions[0].name


def _parsed(content: bytes) -> tuple[str, bytes]:
    try:
        fields = json.loads(content)
        name, ciphertext = fields["encryption"], base64.b64decode(fields["ciphertext"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise KeyNotDecrypted("it is not a whole encrypted key file; restore it from the backup") from error
    if not isinstance(name, str):
        raise KeyNotDecrypted("it does not name the key that encrypted it; restore it from the backup")
    return name, ciphertext


def open_key_encryption(entries: Iterable[KeyEncryptionEntry]) -> KeyFileCipher:
    """Returns what encrypts key files by the entries of ``keys.encryption``.

    Raises:
        KeyEncryptionUnavailable: A key cannot be read, or an extra is not installed.
    """
    return KeyFileCipher([_opened(entry) for entry in entries])


def _opened(entry: KeyEncryptionEntry) -> KeyEncryption:
    match entry:
        case FileEncryption():
            return key_from_file(entry.path)
        case EnvironmentEncryption():
            return key_from_environment(entry.variable, os.environ)
        case AwsKmsEncryption():
            endpoint = None if entry.endpoint is None else str(entry.endpoint)
            return AwsKms(key=entry.key, region=entry.region, endpoint=endpoint)
        case VaultTransitEncryption():
            return VaultTransit(
                address=str(entry.address).rstrip("/"),
                mount=entry.mount,
                key=entry.key,
                token_file=entry.token_file,
                namespace=entry.namespace,
                ca=entry.ca,
            )
