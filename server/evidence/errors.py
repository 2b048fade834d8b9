"""What sealed records raise.

::

    SealError
    ├── SealBroken            the data, their key or their context were altered
    ├── WrappingKeyUnknown    the key that wrapped the data key is not among the wrapping keys
    └── EvidenceAltered       a picture opened, but is not the one that was kept

Exceptions of ``cryptography`` do not pass this folder. Errors of the object store
(``server.storage.errors``) pass as they are.
"""

__all__ = ["EvidenceAltered", "SealBroken", "SealError", "WrappingKeyUnknown"]


class SealError(Exception):
    """Sealed data cannot be opened."""


class SealBroken(SealError):
    """The ciphertext, the wrapped key or the context is not what was sealed."""


class WrappingKeyUnknown(SealError):
    """The key that wrapped the data key is not among the wrapping keys.

    Attributes:
        key_id: The identifier of the missing key.
    """

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the wrapping key {key_id} is not in the key folder; restore it from the backup")
        self.key_id = key_id


class EvidenceAltered(SealError):
    """A picture was opened, but its SHA-256 is not the recorded one."""
