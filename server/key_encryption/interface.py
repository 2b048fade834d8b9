"""The interface of the keys that encrypt key files."""

from typing import Protocol

__all__ = ["KeyEncryption"]


class KeyEncryption(Protocol):
    """A key-encryption key. Its methods block, possibly for a call over the network."""

    @property
    def name(self) -> str:
        """The name under which files refer to this key, such as ``aws-kms:alias/facegate``; no secret."""
        ...

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Encrypts up to 4,000 bytes.

        Args:
            plaintext: The content of a key file.
            context: Authenticated with the ciphertext; ``decrypt`` needs the same.

        Raises:
            KeyEncryptionUnavailable: The key cannot be reached or may not be used.
        """
        ...

    def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
        """Decrypts a result of ``encrypt``.

        Raises:
            KeyEncryptionUnavailable: The key cannot be reached or may not be used.
            KeyNotDecrypted: The ciphertext or the context is not that of ``encrypt``.
        """
        ...
