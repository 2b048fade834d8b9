"""Makes the key-encryption keys that the settings name."""

import os
from collections.abc import Iterable

from server.key_encryption.aws_kms import AwsKms
from server.key_encryption.files import KeyFileCipher
from server.key_encryption.interface import KeyEncryption
from server.key_encryption.local import key_from_environment, key_from_file
from server.key_encryption.vault_transit import VaultTransit
from server.settings_keys import (
    AwsKmsEncryption,
    EnvironmentEncryption,
    FileEncryption,
    KeyEncryptionEntry,
    VaultTransitEncryption,
)

__all__ = ["open_key_encryption"]


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
