"""Key files of one folder: numbered by purpose, owner-only, made atomically, never overwritten.

The files of a purpose are named ``<purpose>-<number>.<suffix>``, such as ``evidence-0002.key``. The highest
number is the newest key, which new operations use. Older keys are still used for data that they encrypted or
signed. The keys of a tenant lie in ``tenants/<name>``. If the settings name a key-encryption key, the content
of secret files is encrypted under it.
"""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from server.base.errors import ConfigurationError
from server.base.private_files import (
    PrivateFileError,
    make_private_folder,
    read_private_file,
    write_private_file,
)
from server.configuration.tables import KeySettings
from server.keyring.key_encryption import FileContext, KeyEncryptionError, KeyFileCipher, open_key_encryption

_MAX_BYTES = 16_384
_TENANTS = "tenants"
_NO_TENANTS: Mapping[str, KeyFileCipher] = MappingProxyType({})


class KeysUnusable(ConfigurationError):
    """A key file is missing, damaged, accessible to others, or cannot be decrypted."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One key file.

    Attributes:
        number: The number of the key, from 1; the highest is the newest.
    """

    number: int
    path: Path
    content: bytes = field(repr=False)


class KeyFiles:
    """The key files of a folder and of its tenants' folders."""

    def __init__(
        self,
        folder: Path,
        *,
        cipher: KeyFileCipher | None = None,
        tenants: Mapping[str, KeyFileCipher] = _NO_TENANTS,
    ) -> None:
        """Set the folder; nothing is read yet.

        Args:
            cipher: Encrypts and decrypts the files of the server; ``None`` for files in clear text.
            tenants: The same for each tenant with keys of its own, by name.
        """
        self.folder = folder
        self._ciphers = {"": cipher or KeyFileCipher(()), **tenants}
        self._decrypted: dict[bytes, bytes] = {}

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants with keys of their own, in alphabetical order."""
        return tuple(sorted(name for name in self._ciphers if name))

    def read(self, purpose: str, suffix: str, *, tenant: str = "") -> tuple[KeyFile, ...]:
        """Return the key files of a purpose, newest first.

        Args:
            tenant: The tenant whose keys they are; empty for those of the server.

        Raises:
            KeysUnusable: A file cannot be read or decrypted, others may read or change it, or its number is
                unclear.
        """
        return tuple(
            replace(file, content=self._decrypt(file, FileContext(purpose, tenant)))
            for file in self._listed(purpose, suffix, tenant=tenant)
        )

    def path(self, purpose: str, suffix: str, number: int, *, tenant: str = "") -> Path:
        """Return the path of a key file, which may not exist."""
        return self._folder(tenant) / f"{purpose}-{number:04d}.{suffix}"

    def make(
        self,
        purpose: str,
        suffix: str,
        number: int,
        content: Callable[[], bytes],
        *,
        tenant: str = "",
        secret: bool = True,
    ) -> Path:
        """Make a key file durably. If it exists, for example from another process, it does not change.

        Args:
            tenant: The tenant whose key it is; empty for a key of the server.
            secret: Whether the content is encrypted if the settings name a key-encryption key.

        Returns:
            The path of the file.

        Raises:
            KeysUnusable: The key cannot be encrypted, or the file cannot be written.
        """
        final = self.path(purpose, suffix, number, tenant=tenant)
        if not final.exists():
            data = content()
            if secret:
                data = self._encrypt(final, data, FileContext(purpose, tenant))
            _write(final, data, over=False)
        return final

    def encrypt_again(self, purpose: str, suffix: str, *, tenant: str = "") -> tuple[Path, ...]:
        """Encrypt the files of a purpose as ``make`` would now; return those that changed.

        Each file is replaced atomically, so an interrupted call may be repeated.

        Raises:
            KeysUnusable: A file cannot be decrypted, encrypted or written.
        """
        context, changed = FileContext(purpose, tenant), []
        for file in self._listed(purpose, suffix, tenant=tenant):
            if self._ciphers[tenant].current(file.content):
                continue
            key = self._decrypt(file, context)
            data = self._encrypt(file.path, key, context)
            if self._decrypt(replace(file, content=data), context) != key:
                raise KeysUnusable(
                    f"{file.path}: its new content does not decrypt to the key; left as it was"
                )
            _write(file.path, data, over=True)
            changed.append(file.path)
        return tuple(changed)

    def discard_cached(self) -> None:
        """Forget decrypted keys, so that the next call decrypts the files again."""
        self._decrypted.clear()

    def state(self) -> frozenset[tuple[str, int, int]]:
        """Return the name, size and time of change of every file, to recognise changes.

        Raises:
            KeysUnusable: The folder cannot be read.
        """
        try:
            return frozenset(
                (str(path.relative_to(self.folder)), path.stat().st_size, path.stat().st_mtime_ns)
                for folder in (self.folder, *(self._folder(tenant) for tenant in self.tenants))
                if folder.exists() or folder == self.folder
                for path in folder.iterdir()
                if not path.name.startswith(".") and path.is_file()
            )
        except OSError as error:
            raise KeysUnusable(
                f"{self.folder}: cannot be read: {error.strerror or error}; correct its permissions"
            ) from error

    def _folder(self, tenant: str) -> Path:
        return self.folder / _TENANTS / tenant if tenant else self.folder

    def _listed(self, purpose: str, suffix: str, *, tenant: str) -> tuple[KeyFile, ...]:
        found: dict[int, KeyFile] = {}
        for path in sorted(self._folder(tenant).glob(f"{purpose}-*.{suffix}")):
            digits = path.stem.removeprefix(f"{purpose}-")
            if not (digits.isascii() and digits.isdigit() and int(digits) > 0) or int(digits) in found:
                raise KeysUnusable(
                    f"{path}: expected a name such as {purpose}-0001.{suffix}, each number once"
                )
            found[int(digits)] = KeyFile(number=int(digits), path=path, content=_read(path))
        return tuple(found[number] for number in sorted(found, reverse=True))

    def _decrypt(self, file: KeyFile, context: FileContext) -> bytes:
        # A key-encryption key may be a service: each content is decrypted once in the life of a process.
        digest = sha256(context.as_bytes() + file.content).digest()
        if digest not in self._decrypted:
            try:
                self._decrypted[digest] = self._ciphers[context.tenant].decrypt(file.content, context)
            except KeyEncryptionError as error:
                raise KeysUnusable(f"{file.path}: {error}") from error
        return self._decrypted[digest]

    def _encrypt(self, path: Path, key: bytes, context: FileContext) -> bytes:
        try:
            return self._ciphers[context.tenant].encrypt(key, context)
        except KeyEncryptionError as error:
            raise KeysUnusable(f"{path}: cannot be made: {error}") from error


def open_key_files(folder: Path, settings: KeySettings) -> KeyFiles:
    """Return the key files of a folder, with the key-encryption keys that the settings name.

    Raises:
        KeyEncryptionUnavailable: A key-encryption key cannot be read, or an extra is not installed.
    """
    own = open_key_encryption(settings.encryption)
    return KeyFiles(
        folder,
        cipher=own,
        tenants={
            name: open_key_encryption(tenant.encryption) if tenant.encryption else own
            for name, tenant in settings.tenants.items()
        },
    )


def _write(final: Path, content: bytes, *, over: bool) -> None:
    try:
        for folder in (
            *([final.parent.parent] if final.parent.parent.name == _TENANTS else []),
            final.parent,
        ):
            make_private_folder(folder)
        write_private_file(final, content, over=over)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = "make room on the disk" if full else "give the server a folder that it owns"
        raise KeysUnusable(f"{final}: cannot be written: {error.strerror or error}; {advice}") from error


def _read(path: Path) -> bytes:
    try:
        return read_private_file(path, max_bytes=_MAX_BYTES)
    except PrivateFileError as error:
        raise KeysUnusable(str(error)) from error
