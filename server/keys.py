"""The keys of the server in a folder.

The folder contains, by purpose (see ``server.key_files`` for names and permissions):

- ``token-*.key``: 32 bytes, the PRF key from which scan tokens are derived
- ``challenge-*.pem``: P-256, signs challenges; apps pin it. A check keeps the key with which it began.
- ``result-*.pem``: P-256, signs results; published as JWKS
- ``result-*.pub``: the public half of a retired result key, with which its results can be verified
- ``evidence-*.key``: AES-256, wraps the data keys of sealed records
- ``memory-*.key``: 32 bytes, keys the scan memory, which recognises frames and keys of devices; after a
rotation,
  earlier entries are no longer recognised

Missing keys are made on the first start. A file with the next number rotates a key: running servers accept
it, and servers that start later use it.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from server.key_files import KeyFile, KeysUnusable, make_key_file, read_key_files
from server.result_signer import ResultSigner
from server.scan_tokens import ScanTokens
from server.sealing import WrappingKeys

__all__ = [
    "ChallengeKeys",
    "KeyFolder",
    "KeyRing",
    "KeysUnusable",
    "MemoryKey",
    "retire_result_key",
    "rotate_key",
]

_SECRET_BYTES = 32
_MEMORY_DOMAIN = b"facegate/v1/scan-memory-key"
_RETIRED = "pub"
_log = structlog.get_logger(__name__)


class ChallengeKeys:
    """Signs challenges. A check keeps the key that its app pinned, also after a rotation."""

    def __init__(self, keys: tuple[ec.EllipticCurvePrivateKey, ...]) -> None:
        """Sets P-256 keys, newest first; the first key signs for new checks."""
        self._newest = _spki_sha256(keys[0])
        self._keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}
        self.add(keys)

    @property
    def newest(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo that the app of a new check pins, 32 bytes."""
        return self._newest

    def find(self, spki_sha256: bytes) -> ec.EllipticCurvePrivateKey | None:
        """Returns the key that an app pinned; ``None`` if this server has not read it."""
        return self._keys.get(spki_sha256)

    def add(self, keys: tuple[ec.EllipticCurvePrivateKey, ...]) -> None:
        """Adds P-256 keys. New checks get the same key as before."""
        self._keys = {_spki_sha256(key): key for key in keys} | self._keys


@dataclass(frozen=True, slots=True)
class MemoryKey:
    """Derives a key for the marks of each tenant, so that marks reveal nothing to another tenant.

    Attributes:
        secret: 32 bytes.
    """

    secret: bytes = field(repr=False)

    def of(self, tenant: str) -> bytes:
        """Returns the key of a tenant, 32 bytes."""
        return hmac.digest(self.secret, _MEMORY_DOMAIN + tenant.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key of a server.

    Attributes:
        tokens: Issues and verifies scan tokens.
        challenges: Signs challenges.
        results: Signs results.
        wrapping_keys: Wrap the data keys of sealed records.
        memory: Keys the scan memory, which recognises frames and keys of devices.
    """

    tokens: ScanTokens
    challenges: ChallengeKeys
    results: ResultSigner
    wrapping_keys: WrappingKeys
    memory: MemoryKey


class KeyFolder:
    """The keys of a folder, including those that other replicas start to use in the meantime.

    A server signs, wraps and issues with the keys that were the newest at its start, because other replicas
    may not have read a newer key yet.
    """

    def __init__(self, folder: Path, *, issuer: str = "facegate") -> None:
        """Reads the keys, and first makes those that are missing.

        Args:
            folder: The folder.
            issuer: The issuer that results name.

        Raises:
            KeysUnusable: A key file is damaged, accessible to others, or cannot be made.
        """
        self._folder = folder
        for purpose, (suffix, _) in _PURPOSES.items():
            if not read_key_files(folder, purpose=purpose, suffix=suffix):
                _make(folder, purpose, number=1)
        self._names = _names(folder)
        keys = _read(folder)
        self.keys = KeyRing(
            tokens=ScanTokens(keys.tokens),
            challenges=ChallengeKeys(keys.challenges),
            results=ResultSigner(keys.results[0], published=keys.published, issuer=issuer),
            wrapping_keys=WrappingKeys(newest=next(iter(keys.wrapping)), keys=keys.wrapping),
            memory=MemoryKey(keys.memory),
        )

    def refresh(self) -> bool:
        """Reads the folder again if files were added or removed; returns whether its keys can be used.

        If the folder cannot be used, the error is logged and the keys stay in force. Blocks for a moment.
        """
        try:
            names = _names(self._folder)
            if names == self._names:
                return True
            keys = _read(self._folder)
        except KeysUnusable as error:
            _log.error("keys_unusable", why=str(error))
            return False
        self.keys.tokens.add(keys.tokens)
        self.keys.challenges.add(keys.challenges)
        self.keys.results.publish(keys.published)
        self.keys.wrapping_keys.add(keys.wrapping)
        self._names = names
        _log.info("keys_read", files=sorted(names))
        return True


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a folder, newest first."""

    tokens: tuple[bytes, ...] = field(repr=False)
    challenges: tuple[ec.EllipticCurvePrivateKey, ...]
    results: tuple[ec.EllipticCurvePrivateKey, ...]
    published: tuple[ec.EllipticCurvePublicKey, ...]
    wrapping: Mapping[str, bytes] = field(repr=False)
    memory: bytes = field(repr=False)


def _read(folder: Path) -> _Keys:
    found = {
        purpose: read_key_files(folder, purpose=purpose, suffix=suffix)
        for purpose, (suffix, _) in _PURPOSES.items()
    }
    for purpose, files in found.items():
        if not files:
            raise KeysUnusable(f"{folder}: there is no key for {purpose!r}; restore it from the backup")
    results = tuple(_private_key(file) for file in found["result"])
    return _Keys(
        tokens=tuple(_secret(file) for file in found["token"]),
        challenges=tuple(_private_key(file) for file in found["challenge"]),
        results=results,
        published=(*(key.public_key() for key in results), *_retired_keys(folder)),
        wrapping={_wrapping_key_id(file): _secret(file) for file in found["evidence"]},
        memory=_secret(found["memory"][0]),
    )


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise KeysUnusable(
            f"{folder}: cannot be read: {error.strerror or error}; correct its permissions"
        ) from error


def rotate_key(folder: Path, purpose: str) -> Path:
    """Makes the next key of a purpose; servers use it from their next start.

    Args:
        folder: The key folder.
        purpose: ``"token"``, ``"challenge"``, ``"result"``, ``"evidence"`` or ``"memory"``.

    Returns:
        The new file.

    Raises:
        KeysUnusable: There is no such purpose, or the file cannot be made.
    """
    if purpose not in _PURPOSES:
        raise KeysUnusable(f"no key has the purpose {purpose!r}; there are {', '.join(_PURPOSES)}")
    suffix, _ = _PURPOSES[purpose]
    files = read_key_files(folder, purpose=purpose, suffix=suffix)
    number = files[0].number + 1 if files else 1
    _make(folder, purpose, number=number)
    return folder / f"{purpose}-{number:04d}.{suffix}"


def retire_result_key(folder: Path, number: int) -> Path:
    """Reduces a result key to its public half, which the JWKS still publishes.

    Args:
        folder: The key folder.
        number: The number of the key; not that of the newest key, which signs.

    Returns:
        The file with the public half.

    Raises:
        KeysUnusable: There is no such key, it is the newest, or the files cannot be written.
    """
    files = read_key_files(folder, purpose="result", suffix="pem")
    found = [file for file in files if file.number == number]
    if not found:
        numbers = ", ".join(str(file.number) for file in files)
        raise KeysUnusable(f"{folder}: there is no key result-{number:04d}.pem; there are {numbers}")
    if found[0] is files[0]:
        raise KeysUnusable(
            f"{found[0].path}: the newest key signs results; make another first (facegate keys rotate result)"
        )
    public = _public_pem(_private_key(found[0]).public_key())
    make_key_file(folder, purpose="result", suffix=_RETIRED, number=number, content=lambda: public)
    # The public half is read back before the private half is removed.
    if all(file.number != number for file in read_key_files(folder, purpose="result", suffix=_RETIRED)):
        raise KeysUnusable(f"{folder}: the public half of key {number} was not written")
    try:
        found[0].path.unlink()
    except OSError as error:
        raise KeysUnusable(f"{found[0].path}: cannot be removed: {error.strerror or error}") from error
    return folder / f"result-{number:04d}.{_RETIRED}"


def _retired_keys(folder: Path) -> tuple[ec.EllipticCurvePublicKey, ...]:
    found = []
    for file in read_key_files(folder, purpose="result", suffix=_RETIRED):
        try:
            key = load_pem_public_key(file.content)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeysUnusable(f"{file.path}: not a PEM public key; restore it from the backup") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise KeysUnusable(f"{file.path}: not a key on the curve P-256; restore it from the backup")
        found.append(key)
    return tuple(found)


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


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _spki_sha256(key: ec.EllipticCurvePrivateKey) -> bytes:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(public).digest()


def _wrapping_key_id(file: KeyFile) -> str:
    # Derived from the content, so that a key that was copied to another number still unwraps its data keys.
    return sha256(b"facegate/v1/wrapping-key-id" + file.content).hexdigest()[:16]
