"""Keys: permissions, presence, age, and encryption of the key files."""

import asyncio
import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from cli.doctor.finding import Deployment, Finding, Level, failure, fine, warning
from server.base.errors import ConfigurationError
from server.base.key_validity import validity_of
from server.keyring.key_encryption import (
    FileContext,
    KeyEncryptionError,
    KeyFileCipher,
    is_encrypted,
    open_key_encryption,
)
from server.keyring.key_files import KeyFiles, open_key_files
from server.keyring.keys import PURPOSES, WRAPPING, KeysUnusable, read_every_key

__all__ = ["examine_keys"]

_OLD: Final = timedelta(days=400)
_SIGNING: Final = ("result", "audit", "challenge")
_PROBE: Final = b"facegate doctor"
_SECRET: Final = frozenset({".key", ".pem", ".retired"})


async def examine_keys(deployment: Deployment) -> list[Finding]:
    """Reads and decrypts all keys; makes none."""
    return await asyncio.to_thread(lambda: list(_examine(deployment)))


def _examine(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    folder = settings.key_folder
    if not folder.is_dir():
        yield failure(
            "KEYS_MISSING",
            f"{folder} does not exist",
            expected="a folder with the keys of the server",
            remedy="facegate restore keys; the first start of a new deployment makes them",
        )
        return
    yield from _permissions(folder)
    try:
        _round_trip(open_key_encryption(settings.keys.encryption), "")
    except (KeyEncryptionError, ConfigurationError) as error:
        yield failure(
            "KEY_ENCRYPTION_UNUSABLE",
            str(error),
            expected="the key-encryption key of keys.encryption encrypts and decrypts",
            remedy="correct keys.encryption, the credentials or the network",
        )
        return
    if settings.keys.encryption:
        yield fine("KEY_ENCRYPTION_WORKS", ", ".join(entry.kind for entry in settings.keys.encryption))
    tenants = list(_tenants_encryption(deployment))
    yield from tenants
    if any(finding.level is Level.FAILURE for finding in tenants):
        return
    try:
        files = open_key_files(folder, settings.keys)
        read_every_key(files)
    except (KeyEncryptionError, KeysUnusable) as error:
        yield failure(
            "KEYS_UNUSABLE",
            str(error),
            expected=f"a key of each purpose: {', '.join(PURPOSES)}",
            remedy="facegate restore keys; the first start of a new deployment makes them",
        )
        return
    yield fine("KEYS_READ", f"{len(files.state())} files in {folder}")
    yield from _ages(files, deployment)
    yield from _tenants_keys(files)
    yield from _clear(deployment)


def _permissions(folder: Path) -> Iterator[Finding]:
    """Tests whether other users may enter the folder. Each file's permissions are tested when it is read.

    The group may enter, because Kubernetes gives the files of a volume to the group of the pod (``fsGroup``).
    If the folder belongs to another user, like the root of a volume or of a mounted Secret, other users may
    list its names, because the server's user cannot change that. They may not write, unless the mount is
    read-only.
    """
    status = folder.stat()
    wide = status.st_mode & stat.S_IRWXO
    if status.st_uid != os.geteuid():
        wide &= stat.S_IWOTH
    if wide and not os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield failure(
            "KEY_FOLDER_OPEN",
            f"{folder}: permissions {stat.S_IMODE(status.st_mode):04o}",
            expected="no access for others, such as 0700; or 0770 for the group of a pod",
            remedy=f"chmod o-rwx {folder}",
        )


def _round_trip(cipher: KeyFileCipher, tenant: str) -> None:
    context = FileContext("doctor", tenant)
    if cipher.decrypt(cipher.encrypt(_PROBE, context), context) != _PROBE:
        raise KeyEncryptionError("it does not decrypt what it encrypted")


def _tenants_encryption(deployment: Deployment) -> Iterator[Finding]:
    for name, tenant in sorted(deployment.settings.keys.tenants.items()):
        if not tenant.encryption:
            continue
        try:
            _round_trip(open_key_encryption(tenant.encryption), name)
        except KeyEncryptionError as error:
            yield failure(
                "TENANT_KEY_ENCRYPTION_UNUSABLE",
                f"{name}: {error}",
                expected=f"the key-encryption key of keys.tenants.{name} encrypts and decrypts",
                remedy=f"correct keys.tenants.{name}.encryption, the credentials or the network",
            )
        else:
            yield fine(
                "TENANT_KEY_ENCRYPTION_WORKS",
                f"{name}: {', '.join(entry.kind for entry in tenant.encryption)}",
            )


def _tenants_keys(files: KeyFiles) -> Iterator[Finding]:
    for name in files.tenants:
        found = files.read(WRAPPING, "key", tenant=name)
        if not found:
            yield warning(
                "TENANT_KEY_MISSING",
                f"{name}: it has no key that seals evidence",
                expected="a key of its own, which a server makes as it starts or reads new key files",
                remedy="start the server; if the tenant has evidence already, facegate restore keys first",
            )


def _ages(files: KeyFiles, deployment: Deployment) -> Iterator[Finding]:
    for purpose in _SIGNING:
        newest = files.read(purpose, "pem")[0]
        made = validity_of(newest.content).not_before
        name = newest.path.name
        if made is None:
            yield warning(
                "KEY_AGE_UNKNOWN",
                f"{name} does not state when it was made",
                expected="a key that states it",
                remedy=f"facegate keys rotate {purpose}",
            )
        elif made > deployment.now + timedelta(minutes=5):
            yield failure(
                "KEY_NOT_YET_VALID",
                f"{name} is valid from {made:%Y-%m-%d %H:%M} UTC",
                expected="a time in the past: verifiers refuse results of an earlier time",
                remedy="correct the clock of this machine",
            )
        elif deployment.now - made > _OLD:
            yield warning(
                "KEY_OLD",
                f"{name} is {(deployment.now - made).days} days old",
                expected=f"at most {_OLD.days} days",
                remedy=f"facegate keys rotate {purpose}",
            )
        else:
            yield fine("KEY_AGE", f"{name} is {(deployment.now - made).days} days old")


def _clear(deployment: Deployment) -> Iterator[Finding]:
    keys, folder = deployment.settings.keys, deployment.settings.key_folder
    of_tenants = {name: tenant.encryption for name, tenant in keys.tenants.items()}
    clear = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        # A mounted Secret has each file again in a hidden folder.
        if any(part.startswith(".") for part in place.parts) or path.suffix not in _SECRET:
            continue
        encrypted = bool(of_tenants.get(path.parent.name)) if len(place.parts) > 1 else False
        if (encrypted or keys.encryption) and not is_encrypted(path.read_bytes()):
            clear.append(str(place))
    if clear:
        yield warning(
            "KEYS_IN_CLEAR",
            f"not encrypted: {', '.join(clear)}",
            expected="every secret file is encrypted under keys.encryption",
            remedy="facegate keys encrypt",
        )
