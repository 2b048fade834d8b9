"""The server's own keys, and what is made with them: scan tokens and signed results.

The folder holds, by purpose (see ``server.key_files`` for names and permissions):

- ``token-*.key``: 32 bytes, the PRF key that scan tokens are derived with
- ``challenge-*.pem``: P-256, signs challenges; apps pin it
- ``result-*.pem``: P-256, signs results; published as JWKS
- ``evidence-*.key``: AES-256, wraps the data keys of sealed records
- ``memory-*.key``: 32 bytes, what frames and devices' keys are known again by; a new one forgets them

What is missing is made on the first start. Adding a file with the next number rotates a key.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jws
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from server.evidence.sealing import WrappingKeys
from server.key_files import KeyFile, KeysUnusable, make_key_file, read_key_files

__all__ = ["KeyRing", "KeysUnusable", "MemoryKey", "ResultSigner", "ScanTokens", "load_keys", "rotate_key"]

_SECRET_BYTES = 32
_TOKEN_VERSION = b"\x01"
_TOKEN_DOMAIN = b"facegate/v1/scan-token"
_TOKEN_KEY_ID_DOMAIN = b"facegate/v1/scan-token-key-id"
_KEY_ID_BYTES = 4
_CHECK_ID_BYTES = 16
_HEAD_BYTES = 1 + _KEY_ID_BYTES + _CHECK_ID_BYTES
_TOKEN_BYTES = _HEAD_BYTES + 32
_TOKEN_CHARACTERS = 71
_MEMORY_DOMAIN = b"facegate/v1/scan-memory-key"
_RESULT_TYPE = "facegate-result"
_REGISTRY = jws.JWSRegistry(
    header_registry={"sandbox": HeaderParameter("The result is of a sandbox check", "bool")},
    algorithms=["ES256"],
)


class ScanTokens:
    """Scan tokens: derived from the check by a keyed PRF, so that nothing secret is stored.

    A token is base64url, without padding, of: format version (1 byte), key identifier (4 bytes),
    check identifier (16 bytes), HMAC-SHA-256 (RFC 2104) of the domain and all before it (32 bytes).
    """

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        """Takes PRF keys of 32 bytes, newest first: the first issues, every one verifies."""
        self._keys = {_token_key_id(key): key for key in reversed(keys)}
        self._newest = _token_key_id(keys[0])

    def issue(self, check_id: UUID) -> str:
        """The token of a check, 71 characters; the same at every call with the same key."""
        head = _TOKEN_VERSION + self._newest + check_id.bytes
        return urlsafe_b64encode(head + _token_mac(self._keys[self._newest], head)).rstrip(b"=").decode()

    def check_id_of(self, token: str) -> UUID | None:
        """The check that a token is for; None for anything that was not issued with one of the keys."""
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token + "=")
        except ValueError:
            return None
        # Base64 has several spellings of the same bytes; only the one that was issued is accepted.
        if len(data) != _TOKEN_BYTES or urlsafe_b64encode(data).rstrip(b"=").decode() != token:
            return None
        head, mac = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
        key = self._keys.get(head[1 : 1 + _KEY_ID_BYTES])
        if key is None or head[:1] != _TOKEN_VERSION or not hmac.compare_digest(mac, _token_mac(key, head)):
            return None
        return UUID(bytes=head[1 + _KEY_ID_BYTES :])


class ResultSigner:
    """Signs results so that anyone can verify them offline: compact JWS (RFC 7515) with ES256."""

    def __init__(self, keys: tuple[ec.EllipticCurvePrivateKey, ...]) -> None:
        """Takes P-256 keys, newest first: the first signs, every one is published."""
        self._keys = tuple(ECKey.import_key(_pem(key)) for key in keys)

    @property
    def key_id(self) -> str:
        """Identifier of the signing key: its RFC 7638 thumbprint."""
        return self._keys[0].thumbprint()

    def sign(self, payload: bytes, *, sandbox: bool) -> str:
        """A compact JWS over exactly ``payload``, with ``alg``, ``kid`` and ``typ`` in its header.

        Args:
            payload: The result's bytes.
            sandbox: Whether they are of a sandbox check; then the header has ``"sandbox": true`` as well.
        """
        header: dict[str, Any] = {"alg": "ES256", "kid": self.key_id, "typ": _RESULT_TYPE}
        if sandbox:
            header["sandbox"] = True
        return jws.serialize_compact(header, payload, self._keys[0], registry=_REGISTRY)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517), newest first."""
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": "ES256"}
                for key in self._keys
            ]
        }


@dataclass(frozen=True, slots=True)
class MemoryKey:
    """Gives each tenant a key of its own for marks, so that they tell nothing outside of it.

    Attributes:
        secret: 32 bytes.
    """

    secret: bytes = field(repr=False)

    def of(self, tenant: str) -> bytes:
        """A tenant's key, 32 bytes."""
        return hmac.digest(self.secret, _MEMORY_DOMAIN + tenant.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key of a server.

    Attributes:
        tokens: Issues and verifies scan tokens.
        challenge_key: Signs challenges, P-256.
        results: Signs results.
        wrapping_keys: Wrap the data keys of sealed records.
        memory: What frames and devices' keys are known again by.
    """

    tokens: ScanTokens
    challenge_key: ec.EllipticCurvePrivateKey = field(repr=False)
    results: ResultSigner
    wrapping_keys: WrappingKeys
    memory: MemoryKey

    @property
    def challenge_key_sha256(self) -> bytes:
        """What apps pin: SHA-256 of the challenge key's SubjectPublicKeyInfo, 32 bytes."""
        public = self.challenge_key.public_key()
        return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def load_keys(folder: Path) -> KeyRing:
    """The keys of a folder; those that are missing are made first.

    Raises:
        KeysUnusable: A key file is damaged, open to others, or cannot be made.
    """
    found: dict[str, tuple[KeyFile, ...]] = {}
    for purpose, (suffix, _) in _PURPOSES.items():
        files = read_key_files(folder, purpose=purpose, suffix=suffix)
        if not files:
            _make(folder, purpose, number=1)
            files = read_key_files(folder, purpose=purpose, suffix=suffix)
        if not files:
            raise KeysUnusable(f"{folder}: the file {purpose}-0001.{suffix} vanished while it was made")
        found[purpose] = files
    return KeyRing(
        tokens=ScanTokens(tuple(_secret(file) for file in found["token"])),
        challenge_key=_private_key(found["challenge"][0]),
        results=ResultSigner(tuple(_private_key(file) for file in found["result"])),
        wrapping_keys=WrappingKeys(
            newest=_wrapping_key_id(found["evidence"][0]),
            keys={_wrapping_key_id(file): _secret(file) for file in found["evidence"]},
        ),
        memory=MemoryKey(_secret(found["memory"][0])),
    )


def rotate_key(folder: Path, purpose: str) -> Path:
    """Adds the next key of a purpose; servers use it from their next start.

    Args:
        folder: The key folder.
        purpose: ``"token"``, ``"challenge"``, ``"result"``, ``"evidence"`` or ``"memory"``.

    Returns:
        The new file.

    Raises:
        KeysUnusable: There is no such purpose, or the file cannot be made.
    """
    if purpose not in _PURPOSES:
        raise KeysUnusable(f"no key is for {purpose!r}; there are {', '.join(_PURPOSES)}")
    suffix, _ = _PURPOSES[purpose]
    files = read_key_files(folder, purpose=purpose, suffix=suffix)
    number = files[0].number + 1 if files else 1
    _make(folder, purpose, number=number)
    return folder / f"{purpose}-{number:04d}.{suffix}"


def _new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def _new_private_key() -> bytes:
    return _pem(ec.generate_private_key(ec.SECP256R1()))


_PURPOSES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "token": ("key", _new_secret),
    "challenge": ("pem", _new_private_key),
    "result": ("pem", _new_private_key),
    "evidence": ("key", _new_secret),
    "memory": ("key", _new_secret),
}


def _make(folder: Path, purpose: str, *, number: int) -> None:
    suffix, content = _PURPOSES[purpose]
    make_key_file(folder, purpose=purpose, suffix=suffix, number=number, content=content)


def _secret(file: KeyFile) -> bytes:
    if len(file.content) != _SECRET_BYTES:
        raise KeysUnusable(
            f"{file.path}: it has {len(file.content)} bytes, expected {_SECRET_BYTES}; "
            "restore it from the backup"
        )
    return file.content


def _private_key(file: KeyFile) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(file.content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeysUnusable(
            f"{file.path}: not an unencrypted PEM private key; restore it from the backup"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeysUnusable(f"{file.path}: not a key on the curve P-256; restore it from the backup")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _wrapping_key_id(file: KeyFile) -> str:
    # By content, so that a key that was copied under another number still opens what it closed.
    return sha256(b"facegate/v1/wrapping-key-id" + file.content).hexdigest()[:16]


def _token_key_id(key: bytes) -> bytes:
    return sha256(_TOKEN_KEY_ID_DOMAIN + key).digest()[:_KEY_ID_BYTES]


def _token_mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, _TOKEN_DOMAIN + head, "sha256")
