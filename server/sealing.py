"""Envelope encryption of one record: AES-256-GCM (NIST SP 800-38D) under a separate data key.

The data key is wrapped, also with AES-256-GCM, under the newest wrapping key. If the wrapped key is erased,
the record is erased, even if copies of the ciphertext exist. The caller provides the randomness. Exceptions
of ``cryptography`` do not leave this module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "Random",
    "SealBroken",
    "SealError",
    "Sealed",
    "WrappingKeyUnknown",
    "WrappingKeys",
    "context",
    "seal",
    "unseal",
]

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_DOMAIN = b"facegate/v1/seal"
_WRAP_DOMAIN = b"facegate/v1/wrap"

Random = Callable[[int], bytes]
"""Returns the given number of unpredictable bytes, such as ``secrets.token_bytes``."""


class SealError(Exception):
    """Sealed data cannot be opened."""


class SealBroken(SealError):
    """The ciphertext, the wrapped key or the context is not that of the sealed record."""


class WrappingKeyUnknown(SealError):
    """The key that wrapped the data key is not among the wrapping keys.

    Attributes:
        key_id: The identifier of the missing key.
    """

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the wrapping key {key_id} is not in the key folder; restore it from the backup")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed record.

    Attributes:
        ciphertext: Version byte, nonce (12 bytes), ciphertext, tag (16 bytes).
        wrapped_key: The data key, in the same form under the wrapping key; 61 bytes.
        key_id: The identifier of the wrapping key.
    """

    ciphertext: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    key_id: str


@dataclass(frozen=True, slots=True)
class WrappingKeys:
    """The keys that wrap data keys: the newest wraps, every one unwraps.

    Attributes:
        newest: Identifier of the key that wraps.
        keys: AES-256 keys of 32 bytes by identifier; ``newest`` is among them.
    """

    newest: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Freezes and validates the keys.

        Raises:
            WrappingKeyUnknown: ``newest`` is not among the keys.
            SealBroken: A key does not have 32 bytes.
        """
        if self.newest not in self.keys:
            raise WrappingKeyUnknown(self.newest)
        if any(len(key) != _KEY_BYTES for key in self.keys.values()):
            raise SealBroken(f"a wrapping key has {_KEY_BYTES} bytes")
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))

    def add(self, keys: Mapping[str, bytes]) -> None:
        """Adds keys that unwrap; the same key as before wraps.

        Raises:
            SealBroken: A key does not have 32 bytes.
        """
        object.__setattr__(self, "keys", WrappingKeys(self.newest, {**keys, **self.keys}).keys)


def context(check_id: UUID, kind: str) -> bytes:
    """Returns the context of a sealed record, which opens only for this check and this kind of record."""
    name = kind.encode()
    return _DOMAIN + check_id.bytes + len(name).to_bytes(2, "big") + name


def seal(plaintext: bytes, *, wrapping_keys: WrappingKeys, aad: bytes, random: Random) -> Sealed:
    """Encrypts ``plaintext`` under a fresh data key and wraps that key.

    Args:
        plaintext: Any bytes.
        wrapping_keys: The wrapping keys; the newest wraps.
        aad: The context of the record; see ``context``.
        random: Returns unpredictable bytes: 32 for the key and 12 for each of two nonces.
    """
    data_key = random(_KEY_BYTES)
    key_id = wrapping_keys.newest
    return Sealed(
        ciphertext=_encrypt(data_key, plaintext, aad, random),
        wrapped_key=_encrypt(wrapping_keys.keys[key_id], data_key, _wrap_aad(key_id, aad), random),
        key_id=key_id,
    )


def unseal(sealed: Sealed, *, wrapping_keys: WrappingKeys, aad: bytes) -> bytes:
    """Decrypts a record that ``seal`` made.

    Raises:
        WrappingKeyUnknown: The wrapping key is not among ``wrapping_keys``.
        SealBroken: The data, its key or ``aad`` is not that of the sealed record.
    """
    wrapping_key = wrapping_keys.keys.get(sealed.key_id)
    if wrapping_key is None:
        raise WrappingKeyUnknown(sealed.key_id)
    data_key = _decrypt(wrapping_key, sealed.wrapped_key, _wrap_aad(sealed.key_id, aad))
    if len(data_key) != _KEY_BYTES:
        raise SealBroken("the wrapped key is not an AES-256 key")
    return _decrypt(data_key, sealed.ciphertext, aad)


def _wrap_aad(key_id: str, aad: bytes) -> bytes:
    name = key_id.encode()
    return _WRAP_DOMAIN + len(name).to_bytes(2, "big") + name + aad


def _encrypt(key: bytes, plaintext: bytes, aad: bytes, random: Random) -> bytes:
    nonce = random(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plaintext, _VERSION + aad)


def _decrypt(key: bytes, data: bytes, aad: bytes) -> bytes:
    version, nonce, body = data[:1], data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    if version != _VERSION or len(nonce) != _NONCE_BYTES:
        raise SealBroken("the sealed data have an unknown format")
    try:
        return AESGCM(key).decrypt(nonce, body, version + aad)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("the sealed data, their key or their context were altered") from error
