"""Changes of a server's keys by its operators, each recorded in the audit log; servers may run.

All raise ``KeysUnusable`` and ``StorageError``; then nothing was changed.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from server.audit import SERVER_TENANT, AuditAction
from server.base.errors import ConfigurationError
from server.configuration.settings import Settings
from server.configuration.tables import TwoPeople
from server.keyring.key_files import open_key_files
from server.keyring.key_rotation import (
    destroy_evidence_key,
    destroy_tenant_keys,
    encrypt_key_files,
    retire_evidence_key,
    retire_signing_key,
    rotate_key,
)
from server.keyring.keys import WRAPPING, KeyFolder, evidence_key_ids
from server.operating.changes import existing_database, record_change, shell_event
from server.storage.approvals import ApprovalRequest, PendingApproval, second_person
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.database import open_database
from server.storage.holds import expect_no_hold_of
from server.storage.schema import expect_usable
from server.storage.wrapped_keys import PLACES, WrappedKeyRepository, keys_in_use, keys_needed


async def rotate(settings: Settings, purpose: str, *, tenant: str) -> Path:
    """Make the next key of a purpose; return its file. See ``key_rotation.rotate_key``."""
    files = open_key_files(settings.key_folder, settings.keys)
    return await record_change(
        settings.database_url,
        AuditAction.KEY_ROTATED,
        lambda _: rotate_key(files, purpose, tenant=tenant),
        purpose=purpose,
        tenant=tenant,
    )


async def retire(
    settings: Settings, purpose: str, number: int, *, tenant: str = "", reason: str = ""
) -> Path:
    """End the use of an older key for anything new; return the file that is left.

    Args:
        purpose: ``"result"``, ``"audit"`` or ``"evidence"``; only the last has keys of tenants.
    """
    files = open_key_files(settings.key_folder, settings.keys)

    def change(_connection: Connection) -> Path:
        if purpose == WRAPPING:
            return retire_evidence_key(files, number, tenant=tenant)
        return retire_signing_key(files, purpose, number, now=datetime.now(UTC))

    return await record_change(
        settings.database_url,
        AuditAction.KEY_RETIRED,
        change,
        reason=reason,
        purpose=purpose,
        number=str(number),
        tenant=tenant,
    )


async def encrypt(settings: Settings) -> tuple[Path, ...]:
    """Encrypt all key files under the first entry of ``keys.encryption``; return the changed ones."""
    if not settings.keys.encryption:
        raise ConfigurationError(
            "keys.encryption in the settings has no entry; name a key-encryption key there"
        )
    files = open_key_files(settings.key_folder, settings.keys)
    return await record_change(
        settings.database_url,
        AuditAction.KEYS_ENCRYPTED,
        lambda _: encrypt_key_files(files),
        encryption=settings.keys.encryption[0].kind,
    )


async def destroy(
    settings: Settings, number: int | None, *, tenant: str = "", reason: str = ""
) -> tuple[Path, ...] | PendingApproval:
    """Delete a retired evidence key that wraps nothing any more, or all keys of a tenant.

    Args:
        number: The number of the key; ``None`` for all keys of the tenant.

    Returns:
        The deleted files; the request that waits, if the settings demand that another user makes it too.
    """
    what = {"number": "all" if number is None else str(number), "tenant": tenant}
    files = open_key_files(settings.key_folder, settings.keys)
    if TwoPeople.DESTROY_KEY in settings.compliance.two_people:
        request = ApprovalRequest(
            action=TwoPeople.DESTROY_KEY.value,
            arguments_sha256=sha256(json.dumps(sorted(what.items())).encode()).digest(),
            event=shell_event(AuditAction.KEY_DESTROYED, reason, what),
        )
        async with existing_database(settings.database_url) as database:
            pending = await database.write(second_person, request, now=datetime.now(UTC))
        if pending is not None:
            return pending

    def change(connection: Connection) -> tuple[Path, ...]:
        if number is None:
            expect_no_hold_of(connection, tenant)
            return destroy_tenant_keys(files, tenant)
        used = keys_in_use(connection)
        return (destroy_evidence_key(files, number, in_use=used, tenant=tenant, now=datetime.now(UTC)),)

    return await record_change(
        settings.database_url,
        AuditAction.KEY_DESTROYED,
        change,
        reason=reason,
        announced=AuditAction.KEY_DESTRUCTION_BEGUN,
        **what,
    )


async def rewrap(
    settings: Settings, progress: Callable[[str, int, int], None]
) -> tuple[int, Mapping[str, int]]:
    """Wrap all data keys under the newest evidence key, of the server or of their tenant.

    It can be stopped and repeated.

    Args:
        progress: Called with a place, the data keys there that are done, and all of them.

    Returns:
        How many data keys were rewrapped, and how many could not be opened, by place.
    """
    keys = KeyFolder(open_key_files(settings.key_folder, settings.keys)).keys.wrapping_keys
    changed, lost = 0, Counter[str]()
    async with open_database(settings.database_url, patient=True, expect=expect_usable) as database:
        repository = WrappedKeyRepository(database)
        totals = await repository.count()
        for place in PLACES:
            done, total = 0, sum(totals[place.name].values())
            progress(place.name, done, total)
            async for batch in repository.rewrap(place, keys):
                changed += batch.changed
                lost[place.name] += batch.lost
                done += batch.rows
                progress(place.name, done, total)
    await record_change(
        settings.database_url,
        AuditAction.KEY_REWRAPPED,
        lambda _: None,
        changed=str(changed),
        lost=str(lost.total()),
    )
    return changed, +lost


async def missing_evidence_keys(settings: Settings) -> frozenset[str]:
    """Return the evidence keys that rows need and the folder lacks, as after an older backup was restored."""
    destroyed = AuditFilter(actions=(AuditAction.KEY_DESTROYED.value,))
    async with open_database(settings.database_url) as database:
        entries = await AuditReader(database).entries(SERVER_TENANT, chosen=destroyed)
        # What was sealed under a tenant's destroyed keys is erased, but its rows stay until retention.
        tenants = {one.details.get("tenant", "") for one in entries if one.details.get("number") == "all"}
        needed = await database.read(keys_needed, but_of=sorted(tenants))
    files = open_key_files(settings.key_folder, settings.keys)
    return needed - await asyncio.to_thread(evidence_key_ids, files)
