"""What must be true of a deployment at every moment, and after the repetition of an interrupted operation."""

import asyncio
import base64
import hashlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, func, select

from server.audit import CheckpointKeys
from server.domain.events import EventKind
from server.domain.terms import CheckState
from server.keyring.key_files import open_key_files
from server.keyring.keys import PURPOSES, read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.objects import open_object_store
from server.storage.tables import (
    audit_subjects,
    check_tries,
    device_key_uses,
    enrolled_keys,
    events,
    evidence,
    evidence_records,
    record_terms,
    scan_marks,
    scan_memories,
)
from tests.canaries import Canaries
from tests.server.crash.deployment import (
    BANK,
    BYSTANDER,
    ERASED_PERSON,
    FIRST,
    HELD,
    OWNER,
    SECOND,
    TENANT,
    Deployment,
    Opened,
    image_of,
    result_of,
    tenant_of,
)

_CHECKS = (FIRST, SECOND, HELD, BYSTANDER, BANK)
_OF_CHECK = (evidence, evidence_records, record_terms, scan_marks, scan_memories, device_key_uses)


async def sound(deployment: Deployment, *, unreadable: Collection[UUID] = ()) -> None:
    """Every check is either whole, as it was acknowledged, or erased; and every audit chain is whole.

    The outbox tells each scan, decision and erasure once, and nothing that did not happen.

    Args:
        unreadable: Checks whose keys were destroyed.
    """
    async with deployment.opened() as opened:
        for check_id in _CHECKS:
            if await _state(opened, check_id) is CheckState.ERASED:
                assert await _rows(opened, check_id) == 0, check_id
            elif check_id not in unreadable:
                await _whole(opened, check_id)
            await _told(opened, check_id)
        reader = AuditReader(opened.stores.database)
        keys = CheckpointKeys(
            read_audit_keys(open_key_files(opened.settings.key_folder, opened.settings.keys))
        )
        for tenant in await reader.tenants():
            report = await reader.verify(tenant, keys=keys)
            assert report.whole, report.problems


async def _told(opened: Opened, check_id: UUID) -> None:
    query = select(events.c.kind).where(events.c.check_id == check_id).order_by(events.c.sequence)
    kinds = await opened.stores.database.read(lambda connection: list(connection.scalars(query)))
    # Each verdict was delivered once.
    expected = [EventKind.SCAN_STARTED, EventKind.CHECK_DECIDED, EventKind.CHECK_CLOSED]
    if await _state(opened, check_id) is CheckState.ERASED:
        expected.append(EventKind.EVIDENCE_ERASED)
    assert kinds == (expected if tenant_of(check_id) == TENANT else []), check_id


async def _whole(opened: Opened, check_id: UUID) -> None:
    stores = opened.stores
    stored = await stores.records.find(check_id)
    assert stored is not None
    assert stores.vault.open(stored).result == result_of(check_id)
    entries = await stores.checks.evidence(check_id)
    assert len(entries) == 2
    for entry in entries:
        image = await stores.evidence.load(check_id, entry, tenant=tenant_of(check_id))
        assert hashlib.sha256(image).digest() == entry.facts.sha256
    delivered = await AuditReader(stores.database).entries(tenant_of(check_id))
    # The verdict was delivered once, and is never delivered for the first time again.
    of_check = [entry for entry in delivered if entry.check_id == str(check_id)]
    assert [entry.action for entry in of_check].count("result.delivered") == 1


async def swept(deployment: Deployment) -> None:
    """After a sweep, exactly those objects exist that rows name, and no other file."""
    async with deployment.opened() as opened:
        await opened.stores.evidence.sweep_orphans(
            older_than=datetime.now(UTC) + timedelta(hours=1), referenced=opened.stores.checks.referenced
        )
        query = select(evidence.c.object_key)
        named = await opened.stores.database.read(lambda connection: set(connection.scalars(query)))
        folder = opened.settings.objects_url
        files = await asyncio.to_thread(_files_below, Path(folder))
        listed = {info.key async for info in open_object_store(folder).list("evidence")}
    assert files == listed == named


def _files_below(folder: Path) -> set[str]:
    """All files but those of the audit log's witness."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {file for file in files if not file.startswith("audit-witness/")}


async def erased(deployment: Deployment) -> frozenset[UUID]:
    """Return the erased checks."""
    async with deployment.opened() as opened:
        return frozenset([one for one in _CHECKS if await _state(opened, one) is CheckState.ERASED])


async def traces_of(deployment: Deployment, checks: Collection[UUID]) -> dict[str, int]:
    """Return the number of rows about the devices and tries of some checks, and of all pseudonyms."""
    async with deployment.opened() as opened:

        def count(connection: Connection) -> dict[str, int]:
            found = {
                table.name: connection.execute(
                    select(func.count()).select_from(table).where(table.c.check_id.in_(checks))
                ).scalar_one()
                for table in (*_OF_CHECK, enrolled_keys, check_tries)
            }
            total = connection.execute(select(func.count()).select_from(audit_subjects)).scalar_one()
            return {**found, "pseudonyms": total}

        return await opened.stores.database.read(count)


def canaries_of(deployment: Deployment) -> Canaries:
    """Return what no output of its processes may contain: keys, images, results and references."""
    found = Canaries()
    files = open_key_files(deployment.settings.key_folder, deployment.settings.keys)
    for purpose, (suffix, _) in PURPOSES.items():
        for tenant in ("", OWNER):
            for file in files.read(purpose, suffix, tenant=tenant):
                found.plant(f"{purpose} {tenant}", file.content)
    for path in (deployment.folder / "kek", deployment.folder / "backup.key"):
        found.plant(path.name, path.read_bytes())
        found.plant(f"decoded {path.name}", base64.b64decode(path.read_bytes()))
    for reference in (ERASED_PERSON, "customer-2"):
        found.plant(reference, reference)
    for check_id in _CHECKS:
        found.plant(f"result of {check_id}", result_of(check_id))
        found.plant(f"image of {check_id}", image_of(check_id, 0))
    return found


async def entries(deployment: Deployment, action: str) -> int:
    """Return how many entries of the server's own log, or of the tenant's, have an action."""
    async with deployment.opened() as opened:
        reader = AuditReader(opened.stores.database)
        found = [entry for tenant in await reader.tenants() for entry in await reader.entries(tenant)]
    return [entry.action for entry in found].count(action)


def no_copy_of(deployment: Deployment, content: bytes) -> bool:
    """Return whether no file of the key folder has a content."""
    folder = deployment.settings.key_folder
    return all(path.read_bytes() != content for path in folder.rglob("*") if path.is_file())


async def _state(opened: Opened, check_id: UUID) -> CheckState:
    record = await opened.stores.checks.get(check_id)
    assert record is not None
    return record.state


async def _rows(opened: Opened, check_id: UUID) -> int:
    def count(connection: Connection) -> int:
        return sum(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.check_id == check_id)
            ).scalar_one()
            for table in _OF_CHECK
        )

    return await opened.stores.database.read(count)
