"""Pseudonyms in the audit log: one person, one tenant, until the key is erased."""

from dataclasses import replace

from server.audit import CheckpointSigner, subject_hash, subject_hashes
from server.storage.audit import AuditLog, erase_subject_key
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.database import Database
from tests.server.storage.audit.chains import NOW, TENANT, TENANT_KEY, event, verify


async def test_a_person_keeps_a_pseudonym_until_the_key_is_erased(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    for subject in ("customer-1", "customer-2", "customer-1"):
        await log.append(event(subject=subject), now=NOW)
    first, second, again = (entry.pseudonym for entry in await reader.entries(TENANT))
    assert first == again != second
    hashed = subject_hash(TENANT_KEY, "customer-1")
    assert hashed is not None
    assert first is not None
    assert await reader.pseudonyms_of(TENANT, [hashed]) == (first,)
    assert len(await reader.entries(TENANT, chosen=AuditFilter(pseudonyms=(first,)))) == 2
    assert await database.write(erase_subject_key, TENANT, hashed)
    assert not await database.write(erase_subject_key, TENANT, hashed)
    assert await reader.pseudonyms_of(TENANT, [hashed]) == ()
    assert (await verify(reader, signer)).whole
    await log.append(event(subject="customer-1"), now=NOW)
    assert (await reader.entries(TENANT))[-1].pseudonym not in {first, second}


async def test_a_person_is_found_under_the_pseudonyms_of_every_memory_key(
    log: AuditLog, reader: AuditReader
) -> None:
    rotated = bytes(32)
    newest = replace(event(subject="customer-1"), subject=subject_hash(rotated, "customer-1"))
    await log.append(event(subject="customer-1"), now=NOW)
    await log.append(newest, now=NOW)
    subjects = subject_hashes((rotated, TENANT_KEY), "customer-1")
    found, _ = await reader.page(TENANT, chosen=AuditFilter(), subjects=subjects, before=0, limit=10)
    assert [entry.sequence for entry in found] == [2, 1]
    assert len({entry.pseudonym for entry in found}) == 2


async def test_the_same_subject_has_other_pseudonyms_at_other_tenants(
    log: AuditLog, reader: AuditReader
) -> None:
    await log.append(event(subject="customer-1", tenant="a"), now=NOW)
    await log.append(event(subject="customer-1", tenant="b"), now=NOW)
    assert (await reader.entries("a"))[0].pseudonym != (await reader.entries("b"))[0].pseudonym
