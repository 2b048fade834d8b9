"""The keys of the server in a folder.

The folder contains, by purpose (see ``server.keyring.key_files`` for names and permissions):

- ``token-*.key``: 32 bytes, the PRF key from which scan tokens and links are derived
- ``challenge-*.pem``: P-256, signs challenges; apps pin it. A check keeps the key with which it began.
- ``result-*.pem``: P-256, signs results; published as JWKS
- ``result-*.pub``: the public half of a retired result key, with which its results can be verified
- ``audit-*.pem``, ``audit-*.pub``: the same for the checkpoints of the audit log
- ``evidence-*.key``: AES-256, wraps the data keys of sealed records; ``tenants/<name>/evidence-*.key`` those
  of a tenant with keys of its own
- ``memory-*.key``: 32 bytes, keys the scan memory, which recognises frames and keys of devices; after a
  rotation, earlier entries are no longer recognised. The oldest hashes the subject references in the tables
  of devices, so it is never removed.

Missing keys are made on the first start. A file with the next number rotates a key: running servers accept
it, and servers that start later use it. With ``keys.encryption`` in the settings, the content of the files is
encrypted (``server.keyring.key_encryption``); public halves never are.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from server.audit import CheckpointSigner
from server.base.key_validity import PublishedKey, Validity, private_pem, public_pem, stamped, validity_of
from server.base.sandbox import memory_scopes
from server.keyring.key_files import KeyFile, KeyFiles, KeysUnusable
from server.keyring.result_signer import ResultSigner
from server.keyring.sealing import WrappingKeys

_log = structlog.get_logger(__name__)

_TOKEN_VERSION: Final = b"\x01"
_TOKEN_DOMAIN: Final = b"facegate/v1/scan-token"
_LINK_DOMAIN: Final = b"facegate/v1/scan-link"
_TOKEN_KEY_ID_DOMAIN: Final = b"facegate/v1/scan-token-key-id"
_KEY_ID_BYTES: Final = 4
_CHECK_ID_BYTES: Final = 16
_HEAD_BYTES: Final = 1 + _KEY_ID_BYTES + _CHECK_ID_BYTES
_TOKEN_BYTES: Final = _HEAD_BYTES + 32
_TOKEN_CHARACTERS: Final = 71


class ScanTokens:
    """Issues and verifies scan tokens, which a keyed PRF derives from the check, so that no secret is stored.

    A token is base64url, without padding, of: format version (1 byte), key identifier (4 bytes), check
    identifier (16 bytes), HMAC-SHA-256 (RFC 2104) of the domain and all preceding bytes (32 bytes).
    """

    def __init__(self, keys: tuple[bytes, ...], *, domain: bytes = _TOKEN_DOMAIN) -> None:
        """Set PRF keys of 32 bytes, newest first: the first issues tokens, all of them verify.

        Args:
            domain: Tells tokens of one kind from those of others.
        """
        self._domain = domain
        self._keys = {_token_key_id(key): key for key in reversed(keys)}
        self._newest = _token_key_id(keys[0])

    def add(self, keys: tuple[bytes, ...]) -> None:
        """Add PRF keys that verify; the same key as before issues tokens."""
        self._keys = {_token_key_id(key): key for key in keys} | self._keys

    def issue(self, check_id: UUID) -> str:
        """Return the token of a check, 71 characters; it depends on the check and the key only."""
        head = _TOKEN_VERSION + self._newest + check_id.bytes
        return urlsafe_b64encode(head + self._mac(self._keys[self._newest], head)).rstrip(b"=").decode()

    def check_id_of(self, token: str) -> UUID | None:
        """Return the check of a token; ``None`` for a text that was not issued with one of the keys."""
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token + "=")
        except ValueError:
            return None
        # Base64 has several encodings of the same bytes; only the issued one is accepted.
        if len(data) != _TOKEN_BYTES or urlsafe_b64encode(data).rstrip(b"=").decode() != token:
            return None
        head, mac = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
        key = self._keys.get(head[1 : 1 + _KEY_ID_BYTES])
        if key is None or head[:1] != _TOKEN_VERSION or not hmac.compare_digest(mac, self._mac(key, head)):
            return None
        return UUID(bytes=head[1 + _KEY_ID_BYTES :])

    def _mac(self, key: bytes, head: bytes) -> bytes:
        return hmac.digest(key, self._domain + head, "sha256")


def _token_key_id(key: bytes) -> bytes:
    return sha256(_TOKEN_KEY_ID_DOMAIN + key).digest()[:_KEY_ID_BYTES]


_SECRET_BYTES = 32
_MEMORY_DOMAIN = b"facegate/v1/scan-memory-key"
_SUBJECT_DOMAIN = b"facegate/v1/device-subject-key"
_RETIRED = "pub"
WRAPPING: Final = "evidence"
"""The purpose of the keys that wrap data keys."""
_ONLY_OPENS = "retired"


class ChallengeKeys:
    """Signs challenges. A check keeps the key that its app pinned, also after a rotation."""

    def __init__(self, keys: tuple[ec.EllipticCurvePrivateKey, ...]) -> None:
        """Set P-256 keys, newest first; the first key signs for new checks."""
        self._newest = _spki_sha256(keys[0])
        self._keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}
        self.add(keys)

    @property
    def newest(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo that the app of a new check pins, 32 bytes."""
        return self._newest

    def find(self, spki_sha256: bytes) -> ec.EllipticCurvePrivateKey | None:
        """Return the key that an app pinned; ``None`` if this server has not read it."""
        return self._keys.get(spki_sha256)

    def add(self, keys: tuple[ec.EllipticCurvePrivateKey, ...]) -> None:
        """Add P-256 keys. New checks get the same key as before."""
        self._keys = {_spki_sha256(key): key for key in keys} | self._keys


@dataclass(frozen=True, slots=True)
class MemoryKey:
    """Derives a key for the marks of each tenant, so that marks reveal nothing to another tenant.

    Attributes:
        secret: 32 bytes.
        earlier: Keys that were rotated since, newest first; evidence records are still found by them, and the
            oldest hashes the subject references in the tables of devices.
    """

    secret: bytes = field(repr=False)
    earlier: tuple[bytes, ...] = field(default=(), repr=False)

    def tenant_key(self, tenant: str) -> bytes:
        """Return the key of a tenant, 32 bytes."""
        return _memory_key(self.secret, tenant)

    def tenant_keys(self, tenant: str) -> tuple[bytes, ...]:
        """Return the keys that a tenant has and had, newest first, 32 bytes each."""
        return tuple(_memory_key(secret, tenant) for secret in (self.secret, *self.earlier))

    def subject_hash(self, scope: str, reference: str) -> str:
        """Return the hash by which the tables of devices know a person, 64 hexadecimal digits.

        It is the same before and after a rotation, because a person must not become another one: its key is
        derived from the oldest memory key.

        Args:
            scope: The tenant or its sandbox (``server.base.sandbox.memory_scope``).
            reference: The subject reference; if it is empty, so is the hash.
        """
        if not reference:
            return ""
        oldest = (self.secret, *self.earlier)[-1]
        key = hmac.digest(oldest, _SUBJECT_DOMAIN + scope.encode(), "sha256")
        return hmac.digest(key, reference.encode(), "sha256").hex()

    def subject_hashes(self, tenant: str, reference: str) -> tuple[str, ...]:
        """Return the hashes of a person in the scope of a tenant and in that of its sandbox.

        There is none without a reference.
        """
        return tuple(self.subject_hash(scope, reference) for scope in memory_scopes(tenant) if reference)


def _memory_key(secret: bytes, tenant: str) -> bytes:
    return hmac.digest(secret, _MEMORY_DOMAIN + tenant.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key of a server.

    Attributes:
        links: The secrets of links to the server's own page, in the form of scan tokens.
        wrapping_keys: Wrap the data keys of sealed records.
        memory: Keys the scan memory, which recognises frames and keys of devices.
    """

    tokens: ScanTokens
    links: ScanTokens
    challenges: ChallengeKeys
    results: ResultSigner
    wrapping_keys: WrappingKeys
    memory: MemoryKey
    audit: CheckpointSigner


class KeyFolder:
    """The keys of a folder, including those that other replicas start to use in the meantime.

    A server signs, wraps and issues with the keys that were the newest at its start, because other replicas
    may not have read a newer key yet.
    """

    def __init__(self, files: KeyFiles, *, issuer: str = "facegate") -> None:
        """Read the keys, and first make those that are missing.

        Args:
            issuer: The issuer that results name.

        Raises:
            KeysUnusable: A key file is damaged, accessible to others, or cannot be made.
        """
        self._files = files
        _make_missing(files)
        self._state = files.state()
        keys = _read(files)
        self.keys = KeyRing(
            tokens=ScanTokens(keys.tokens),
            links=ScanTokens(keys.tokens, domain=_LINK_DOMAIN),
            challenges=ChallengeKeys(keys.challenges),
            results=ResultSigner(keys.results[0], published=keys.published, issuer=issuer),
            wrapping_keys=keys.wrapping,
            memory=MemoryKey(keys.memory[0], earlier=keys.memory[1:]),
            audit=CheckpointSigner(
                keys.audit, published=keys.audit_published, issuer=issuer, place=str(files.folder)
            ),
        )

    @property
    def names(self) -> frozenset[str]:
        """The names of the files that were read."""
        return frozenset(name for name, *_ in self._state)

    @property
    def signing_since(self) -> Mapping[str, datetime | None]:
        """When the current signing keys were made, UTC, by their purpose: ``results`` or ``audit``.

        It is ``None`` for a key whose file does not state it.
        """
        signers = {"results": self.keys.results.jwks(), "audit": self.keys.audit.jwks()}
        made = {purpose: published["keys"][0].get("iat") for purpose, published in signers.items()}
        return {
            purpose: None if seconds is None else datetime.fromtimestamp(seconds, UTC)
            for purpose, seconds in made.items()
        }

    def refresh(self) -> bool:
        """Read the folder again if files changed; return whether its keys can be used.

        If the folder cannot be used, the error is logged and the keys stay in force. It blocks for a moment.
        """
        try:
            state = self._files.state()
            if state == self._state:
                return True
            self._files.discard_cached()
            _make_tenants_keys(self._files)
            keys = _read(self._files)
        except KeysUnusable as error:
            _log.error("keys_unusable", why=str(error))
            return False
        self.keys.tokens.add(keys.tokens)
        self.keys.links.add(keys.tokens)
        self.keys.challenges.add(keys.challenges)
        self.keys.results.publish(keys.published)
        self.keys.wrapping_keys.refresh(keys.wrapping)
        self.keys.audit.publish(keys.audit_published)
        self._state = self._files.state()
        _log.info("keys_read", files=sorted(name for name, *_ in self._state))
        return True


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a folder, newest first."""

    tokens: tuple[bytes, ...] = field(repr=False)
    challenges: tuple[ec.EllipticCurvePrivateKey, ...]
    results: tuple[ec.EllipticCurvePrivateKey, ...]
    published: tuple[PublishedKey, ...]
    wrapping: WrappingKeys
    memory: tuple[bytes, ...] = field(repr=False)
    audit: ec.EllipticCurvePrivateKey
    audit_published: tuple[PublishedKey, ...]


def _make_missing(files: KeyFiles) -> None:
    for purpose, (suffix, content) in PURPOSES.items():
        if not files.read(purpose, suffix):
            files.make(purpose, suffix, 1, content)
    _make_tenants_keys(files)


def _make_tenants_keys(files: KeyFiles) -> None:
    for tenant in files.tenants:
        if not files.read(WRAPPING, "key", tenant=tenant):
            # The number continues after a retired key's.
            retired = files.read(WRAPPING, _ONLY_OPENS, tenant=tenant)
            number = retired[0].number + 1 if retired else 1
            files.make(WRAPPING, "key", number, _new_secret, tenant=tenant)


def _read(files: KeyFiles) -> _Keys:
    found = {purpose: files.read(purpose, suffix) for purpose, (suffix, _) in PURPOSES.items()}
    for purpose, keys in found.items():
        if not keys:
            raise KeysUnusable(f"{files.folder}: there is no key for {purpose!r}; restore it from the backup")
    results = tuple(_private_key(file) for file in found["result"])
    return _Keys(
        tokens=tuple(_secret(file) for file in found["token"]),
        challenges=tuple(_private_key(file) for file in found["challenge"]),
        results=results,
        published=(
            *(
                PublishedKey(key.public_key(), _validity(file))
                for key, file in zip(results, found["result"], strict=True)
            ),
            *_retired_keys(files, "result"),
        ),
        wrapping=_wrapping_keys(files),
        memory=tuple(_secret(file) for file in found["memory"]),
        audit=_private_key(found["audit"][0]),
        audit_published=read_audit_keys(files),
    )


def _wrapping_keys(files: KeyFiles) -> WrappingKeys:
    newest: dict[str, str] = {}
    retired: set[str] = set()
    keys: dict[str, bytes] = {}
    for tenant in ("", *files.tenants):
        for file in files.read(WRAPPING, "key", tenant=tenant):
            newest.setdefault(tenant, wrapping_key_id(file))
            keys[wrapping_key_id(file)] = _secret(file)
        for file in files.read(WRAPPING, _ONLY_OPENS, tenant=tenant):
            retired.add(wrapping_key_id(file))
            keys[wrapping_key_id(file)] = _secret(file)
    own = newest.pop("")
    # The scan memory of a tenant's sandbox is sealed for a scope of its own, and under the tenant's key.
    scopes = {scope: key_id for tenant, key_id in newest.items() for scope in memory_scopes(tenant)}
    return WrappingKeys(newest=own, keys=keys, tenants=scopes, retired=retired)


def read_every_key(files: KeyFiles) -> None:
    """Read every key that a server needs, and make none.

    Raises:
        KeysUnusable: A key is missing, damaged, accessible to others, or cannot be decrypted.
    """
    _read(files)


def evidence_key_ids(files: KeyFiles) -> frozenset[str]:
    """Return the identifiers of all evidence keys, also those of tenants and retired ones.

    Raises:
        KeysUnusable: A key is damaged, accessible to others, or cannot be decrypted.
    """
    return frozenset(
        wrapping_key_id(file)
        for tenant in ("", *files.tenants)
        for suffix in ("key", _ONLY_OPENS)
        for file in files.read(WRAPPING, suffix, tenant=tenant)
    )


def read_audit_keys(files: KeyFiles) -> tuple[PublishedKey, ...]:
    """Return the public halves of all audit keys, newest first, with the times of their use.

    Raises:
        KeysUnusable: A key file is damaged or accessible to others.
    """
    current = (
        PublishedKey(_private_key(file).public_key(), _validity(file)) for file in files.read("audit", "pem")
    )
    return (*current, *_retired_keys(files, "audit"))


def read_memory_key(files: KeyFiles) -> MemoryKey:
    """Return the memory keys of a folder, and make none.

    Raises:
        KeysUnusable: There is none, or it is damaged or accessible to others.
    """
    found = files.read("memory", "key")
    if not found:
        raise KeysUnusable(f"{files.folder}: there is no key for 'memory'; name the key folder of the server")
    return MemoryKey(_secret(found[0]), earlier=tuple(_secret(file) for file in found[1:]))


def _retired_keys(files: KeyFiles, purpose: str) -> tuple[PublishedKey, ...]:
    found = []
    for file in files.read(purpose, _RETIRED):
        try:
            key = load_pem_public_key(file.content)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeysUnusable(f"{file.path}: not a PEM public key; restore it from the backup") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise KeysUnusable(f"{file.path}: not a key on the curve P-256; restore it from the backup")
        found.append(PublishedKey(key, _validity(file)))
    return tuple(found)


def _validity(file: KeyFile) -> Validity:
    try:
        return validity_of(file.content)
    except ValueError as error:
        raise KeysUnusable(f"{file.path}: a time before the key is malformed: {error}") from error


def public_half(file: KeyFile) -> bytes:
    """Return the public half of a P-256 key file as PEM.

    Raises:
        KeysUnusable: The content is not a private key on P-256.
    """
    return public_pem(_private_key(file).public_key())


def _new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def _new_private_key() -> bytes:
    return stamped(private_pem(ec.generate_private_key(ec.SECP256R1())), Validity(datetime.now(UTC)))


PURPOSES: Final[Mapping[str, tuple[str, Callable[[], bytes]]]] = {
    "token": ("key", _new_secret),
    "challenge": ("pem", _new_private_key),
    "result": ("pem", _new_private_key),
    "evidence": ("key", _new_secret),
    "memory": ("key", _new_secret),
    "audit": ("pem", _new_private_key),
}
"""The suffix of the files of each purpose, and what makes the content of a new one."""


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


def _spki_sha256(key: ec.EllipticCurvePrivateKey) -> bytes:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(public).digest()


def wrapping_key_id(file: KeyFile) -> str:
    """Return the identifier under which records refer to a wrapping key."""
    # Derived from the content, so that a key that was copied to another number still unwraps its data keys.
    return sha256(b"facegate/v1/wrapping-key-id" + file.content).hexdigest()[:16]
