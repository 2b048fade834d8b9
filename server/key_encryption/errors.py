"""Errors of this package.

::

    KeyEncryptionError            a key file cannot be encrypted or decrypted
        KeyEncryptionUnavailable  the key-encryption key cannot be reached or is not configured correctly
        KeyNotDecrypted           the content is not what this key encrypted for this file
"""

from server.errors import ConfigurationError

__all__ = ["KeyEncryptionError", "KeyEncryptionUnavailable", "KeyNotDecrypted"]


class KeyEncryptionError(ConfigurationError):
    """A key file cannot be encrypted or decrypted."""


class KeyEncryptionUnavailable(KeyEncryptionError):
    """The key-encryption key cannot be reached, may not be used, or is not configured correctly."""


class KeyNotDecrypted(KeyEncryptionError):
    """The content was altered, belongs to another file, or was encrypted under another key."""
