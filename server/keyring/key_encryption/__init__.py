"""Encrypts the server's key files under a key-encryption key that lies elsewhere.

A key file is decrypted once, when a server reads its key folder; records are sealed under the keys in it
without a further call. ``open_key_encryption`` makes what ``keys.encryption`` in the settings names: a key in
a file or in the environment, AWS KMS, or the Transit engine of Vault and OpenBao. ``KeyFileCipher`` converts
the content of a file.
"""

from server.keyring.key_encryption.files import FileContext, KeyFileCipher, is_encrypted, open_key_encryption
from server.keyring.key_encryption.services import (
    KeyEncryption,
    KeyEncryptionError,
    KeyEncryptionUnavailable,
    KeyNotDecrypted,
)

__all__ = [
    "FileContext",
    "KeyEncryption",
    "KeyEncryptionError",
    "KeyEncryptionUnavailable",
    "KeyFileCipher",
    "KeyNotDecrypted",
    "is_encrypted",
    "open_key_encryption",
]
