"""Envelope encryption of one record: AES-256-GCM (NIST SP 800-38D) under a separate data key.

The data key is wrapped, also with AES-256-GCM, under the newest wrapping key. If the wrapped key is erased,
the record is erased, even if copies of the ciphertext exist. Exceptions of ``cryptography`` do
not leave this module.

Ciphertexts and wrapped keys are ``format (1 byte) || nonce (12 bytes) || ciphertext || tag (16 bytes)``.
The format is 2. The associated data name the tenant, the check, and the kind and version of the record.
"""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x02"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_DOMAIN = b"facegate/v2/seal"
_WRAP_DOMAIN = b"facegate/v2/wrap"


class SealError(Exception):
    """Sealed data cannot be opened."""


class SealBroken(SealError):
    """The ciphertext, the wrapped key or the context is not that of the sealed record."""


class WrappingKeyUnknown(SealError):
    """The key that wrapped the data key is not among the wrapping keys."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the wrapping key {key_id} is not in the key folder; restore it from the backup")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed record.

    Attributes:
        ciphertext: Format byte, nonce (12 bytes), ciphertext, tag (16 bytes).
        wrapped_key: The data key, in the same form under the wrapping key; 61 bytes.
    """

    ciphertext: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    key_id: str


class WrappingKeys:
    """The keys that wrap data keys, the server's own and those of tenants. Every one of them unwraps."""

    def __init__(
        self,
        *,
        newest: str,
        keys: Mapping[str, bytes],
        tenants: Mapping[str, str] = MappingProxyType({}),
        retired: Collection[str] = (),
    ) -> None:
        """Set the keys.

        Args:
            newest: Identifier of the key that wraps for tenants without a key of their own.
            keys: AES-256 keys of 32 bytes by identifier.
            tenants: The identifiers of the keys that wrap for tenants with keys of their own, by tenant and
                by the scope of its sandbox.
            retired: Identifiers of keys that only unwrap.

        Raises:
            WrappingKeyUnknown: A key that wraps is not among the keys.
            SealBroken: A key does not have 32 bytes.
        """
        for key_id in (newest, *tenants.values()):
            if key_id not in keys:
                raise WrappingKeyUnknown(key_id)
        if any(len(key) != _KEY_BYTES for key in keys.values()):
            raise SealBroken(f"a wrapping key has {_KEY_BYTES} bytes")
        self._keys = dict(keys)
        self._wrapping = {**tenants, "": newest}
        self._retired = frozenset(retired)

    def __repr__(self) -> str:
        return f"WrappingKeys(wrapping={self._wrapping!r})"

    def key_id_for(self, tenant: str) -> str:
        """Return the identifier of the key that wraps for a tenant; ``""`` for the server's own."""
        return self._wrapping.get(tenant, self._wrapping[""])

    def key(self, key_id: str) -> bytes:
        """Return a key.

        Raises:
            WrappingKeyUnknown: There is no such key.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise WrappingKeyUnknown(key_id)
        return key

    def refresh(self, found: "WrappingKeys") -> None:
        """Take over keys that were added, and drop keys that were removed.

        The keys that wrap stay the same until they are retired or removed, because other replicas may not
        have read a newer one yet.
        """
        kept = {
            tenant: key_id
            for tenant, key_id in self._wrapping.items()
            if tenant in found._wrapping and key_id in found._keys and key_id not in found._retired
        }
        self._keys = found._keys
        self._wrapping = found._wrapping | kept
        self._retired = found._retired


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The context of a sealed record, which opens in the same context only.

    Attributes:
        kind: The kind of record, such as ``"EVIDENCE_FRAME"``.
        version: The version of the kind's content, from 1 to 65535.
    """

    tenant: str
    check_id: UUID
    kind: str
    version: int = 1

    def aad(self, form: bytes) -> bytes:
        """Return the associated data of a ciphertext.

        Args:
            form: The format byte of the ciphertext.

        Raises:
            SealBroken: The format is unknown.
        """
        return _known(form) + _DOMAIN + self._parts

    def wrap_aad(self, form: bytes, key_id: str) -> bytes:
        """Return the associated data of a wrapped data key.

        Args:
            form: The format byte of the wrapped key.

        Raises:
            SealBroken: The format is unknown.
        """
        return _known(form) + _WRAP_DOMAIN + _prefixed(key_id) + self._parts

    @property
    def _parts(self) -> bytes:
        version = self.version.to_bytes(2, "big")
        return _prefixed(self.tenant) + self.check_id.bytes + _prefixed(self.kind) + version


def seal(plaintext: bytes, *, wrapping_keys: WrappingKeys, aad: Context) -> Sealed:
    """Encrypt ``plaintext`` under a fresh data key and wrap that key.

    Args:
        wrapping_keys: The wrapping keys; the newest wraps.
    """
    data_key = secrets.token_bytes(_KEY_BYTES)
    key_id = wrapping_keys.key_id_for(aad.tenant)
    return Sealed(
        ciphertext=_encrypt(data_key, plaintext, aad.aad(_FORMAT)),
        wrapped_key=_encrypt(wrapping_keys.key(key_id), data_key, aad.wrap_aad(_FORMAT, key_id)),
        key_id=key_id,
    )


def unseal(sealed: Sealed, *, wrapping_keys: WrappingKeys, aad: Context) -> bytes:
    """Decrypt a record that ``seal`` made.

    Raises:
        WrappingKeyUnknown: The wrapping key is not among ``wrapping_keys``.
        SealBroken: The data, its key or ``aad`` is not that of the sealed record.
    """
    data_key = _data_key(sealed, wrapping_keys=wrapping_keys, aad=aad)
    return _decrypt(data_key, sealed.ciphertext, aad.aad(sealed.ciphertext[:1]))


def rewrap(
    wrapped_key: bytes, *, key_id: str, wrapping_keys: WrappingKeys, aad: Context
) -> tuple[bytes, str]:
    """Wrap the data key of a record under the key that wraps for its tenant now; the record stays as it is.

    Args:
        key_id: The identifier of the key that wrapped it.

    Returns:
        The data key, rewrapped, and the identifier of the key that wrapped it.

    Raises:
        WrappingKeyUnknown: The wrapping key is not among ``wrapping_keys``.
        SealBroken: The wrapped key or ``aad`` is not that of the sealed record.
    """
    old = Sealed(ciphertext=b"", wrapped_key=wrapped_key, key_id=key_id)
    data_key = _data_key(old, wrapping_keys=wrapping_keys, aad=aad)
    newest = wrapping_keys.key_id_for(aad.tenant)
    return _encrypt(wrapping_keys.key(newest), data_key, aad.wrap_aad(_FORMAT, newest)), newest


def _data_key(sealed: Sealed, *, wrapping_keys: WrappingKeys, aad: Context) -> bytes:
    wrap_aad = aad.wrap_aad(sealed.wrapped_key[:1], sealed.key_id)
    data_key = _decrypt(wrapping_keys.key(sealed.key_id), sealed.wrapped_key, wrap_aad)
    if len(data_key) != _KEY_BYTES:
        raise SealBroken("the wrapped key is not an AES-256 key")
    return data_key


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _known(form: bytes) -> bytes:
    if form != _FORMAT:
        raise SealBroken("the sealed data have an unknown format")
    return form


def _encrypt(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def _decrypt(key: bytes, data: bytes, aad: bytes) -> bytes:
    nonce, body = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    if len(nonce) != _NONCE_BYTES:
        raise SealBroken("the sealed data have an unknown format")
    try:
        return AESGCM(key).decrypt(nonce, body, aad)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("the sealed data, their key or their context were altered") from error
