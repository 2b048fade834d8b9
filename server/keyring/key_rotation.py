"""Makes, retires and destroys keys of a folder. Running servers notice the changed files within seconds."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from formats.private_files import sync_folder
from server.base.key_validity import Validity, stamped, validity_of
from server.base.private_files import remove_private_file
from server.keyring.key_files import KeyFile, KeyFiles, KeysUnusable
from server.keyring.keys import PURPOSES, WRAPPING, public_half, wrapping_key_id

_PUBLIC: Final = "pub"
_RETIRED: Final = "retired"
_SETTLED: Final = timedelta(seconds=60)
"""Time after which every running server has read a changed folder, several times over."""


class KeyInUse(KeysUnusable):
    """A key that is to be destroyed still wraps data keys."""


def rotate_key(files: KeyFiles, purpose: str, *, tenant: str = "") -> Path:
    """Make the next key of a purpose. Servers use it after their next start, or when the older is retired.

    Args:
        purpose: ``"token"``, ``"challenge"``, ``"result"``, ``"evidence"``, ``"memory"`` or ``"audit"``.
        tenant: A tenant with evidence keys of its own; empty for the keys of the server.

    Returns:
        The new file.

    Raises:
        KeysUnusable: There is no such purpose or tenant, or the file cannot be made.
    """
    if purpose not in PURPOSES:
        raise KeysUnusable(f"no key has the purpose {purpose!r}; there are {', '.join(PURPOSES)}")
    _expect_tenant(files, purpose, tenant)
    suffix, content = PURPOSES[purpose]
    return files.make(purpose, suffix, _last_number(files, purpose, tenant) + 1, content, tenant=tenant)


def retire_signing_key(files: KeyFiles, purpose: str, number: int, *, now: datetime) -> Path:
    """Reduce a key to its public half, with the times of its use, which a JWKS still publishes.

    Args:
        purpose: ``"result"`` or ``"audit"``.
        number: The number of the key; not that of the newest key, which signs.
        now: The end of its use, UTC.

    Returns:
        The file with the public half.

    Raises:
        KeysUnusable: There is no such key, it is the newest, or the files cannot be written.
    """
    key = _older_key(files, purpose, "pem", number)
    validity = Validity(validity_of(key.content).not_before, now)
    made = files.make(purpose, _PUBLIC, number, lambda: stamped(public_half(key), validity), secret=False)
    # The public half is read back before the private half is removed.
    if all(file.number != number for file in files.read(purpose, _PUBLIC)):
        raise KeysUnusable(f"{made}: the public half of key {number} was not written")
    _remove(key.path)
    return made


def retire_evidence_key(files: KeyFiles, number: int, *, tenant: str = "") -> Path:
    """Retire an evidence key: it still opens records, but running servers, too, wrap with the newest key.

    Args:
        tenant: The tenant whose key it is; empty for a key of the server.

    Returns:
        The renamed file.

    Raises:
        KeysUnusable: There is no such key, it is the newest, or the file cannot be renamed.
    """
    _expect_tenant(files, WRAPPING, tenant)
    key = _older_key(files, WRAPPING, "key", number, tenant=tenant)
    retired = key.path.with_suffix(f".{_RETIRED}")
    try:
        key.path.rename(retired)
        sync_folder(retired.parent)
    except OSError as error:
        raise KeysUnusable(f"{key.path}: cannot be renamed: {error.strerror or error}") from error
    return retired


def destroy_evidence_key(
    files: KeyFiles, number: int, *, in_use: Collection[str], tenant: str = "", now: datetime
) -> Path:
    """Delete a retired evidence key under which no data key is wrapped any more.

    Args:
        in_use: The identifiers of the keys that records refer to.
        tenant: The tenant whose key it is; empty for a key of the server.

    Returns:
        The deleted file.

    Raises:
        KeyInUse: Records refer to the key, or a server may still wrap with it, because it was just retired.
        KeysUnusable: No retired key has this number, or it cannot be deleted.
    """
    _expect_tenant(files, WRAPPING, tenant)
    retired = files.read(WRAPPING, _RETIRED, tenant=tenant)
    found = [file for file in retired if file.number == number]
    if not found:
        numbers = ", ".join(str(file.number) for file in retired) or "none"
        raise KeysUnusable(
            f"{files.folder}: no retired evidence key has the number {number}; retired are: {numbers}"
        )
    if wrapping_key_id(found[0]) in in_use:
        raise KeyInUse(
            f"{found[0].path}: records are sealed under it; run facegate keys rewrap first, or delete them"
        )
    retired_at = _changed(found[0].path)
    if now - retired_at < _SETTLED:
        raise KeyInUse(
            f"{found[0].path}: it was retired at {retired_at:%H:%M:%S} UTC, and running servers notice that "
            f"within {_SETTLED.seconds} seconds; try again then"
        )
    _remove(found[0].path)
    return found[0].path


def destroy_tenant_keys(files: KeyFiles, tenant: str) -> tuple[Path, ...]:
    """Delete every key of a tenant's own, which erases everything that is sealed under them.

    Raises:
        KeysUnusable: The tenant has no keys of its own, or one cannot be deleted.
    """
    _expect_tenant(files, WRAPPING, tenant or "-")
    keys = [file for suffix in ("key", _RETIRED) for file in files.read(WRAPPING, suffix, tenant=tenant)]
    for key in keys:
        _remove(key.path)
    return tuple(key.path for key in keys)


def encrypt_key_files(files: KeyFiles) -> tuple[Path, ...]:
    """Encrypt every secret key file under the first entry of ``keys.encryption``, or decrypt all of them.

    May be repeated after an interruption.

    Returns:
        The changed files.

    Raises:
        KeysUnusable: A file cannot be decrypted, encrypted or written.
    """
    changed = [
        path for purpose, (suffix, _) in PURPOSES.items() for path in files.encrypt_again(purpose, suffix)
    ]
    changed += files.encrypt_again(WRAPPING, _RETIRED)
    for tenant in files.tenants:
        for suffix in ("key", _RETIRED):
            changed += files.encrypt_again(WRAPPING, suffix, tenant=tenant)
    return tuple(changed)


def _older_key(files: KeyFiles, purpose: str, suffix: str, number: int, *, tenant: str = "") -> KeyFile:
    keys = files.read(purpose, suffix, tenant=tenant)
    found = [file for file in keys if file.number == number]
    if not found:
        numbers = ", ".join(str(file.number) for file in keys) or "none"
        raise KeysUnusable(
            f"{files.folder}: there is no key {purpose}-{number:04d}.{suffix}; there are {numbers}"
        )
    if found[0] is keys[0]:
        raise KeysUnusable(
            f"{found[0].path}: the newest key is in use; make another first (facegate keys rotate {purpose})"
        )
    return found[0]


def _last_number(files: KeyFiles, purpose: str, tenant: str) -> int:
    suffixes = {PURPOSES[purpose][0], _PUBLIC if purpose in {"result", "audit"} else _RETIRED}
    keys = [file for suffix in suffixes for file in files.read(purpose, suffix, tenant=tenant)]
    return max((key.number for key in keys), default=0)


def _expect_tenant(files: KeyFiles, purpose: str, tenant: str) -> None:
    if tenant and purpose != WRAPPING:
        raise KeysUnusable(f"tenants have no {purpose} keys of their own, only evidence keys")
    if tenant and tenant not in files.tenants:
        raise KeysUnusable(
            f"the tenant {tenant!r} has no keys of its own; keys.tenants in the settings names: "
            f"{', '.join(files.tenants) or 'none'}"
        )


def _changed(path: Path) -> datetime:
    """Return when a file was renamed last."""
    try:
        return datetime.fromtimestamp(path.stat().st_ctime, UTC)
    except OSError as error:
        raise KeysUnusable(f"{path}: cannot be read: {error.strerror or error}") from error


def _remove(path: Path) -> None:
    try:
        remove_private_file(path)
    except OSError as error:
        raise KeysUnusable(f"{path}: cannot be removed: {error.strerror or error}") from error
