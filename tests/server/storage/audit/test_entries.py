"""Entries of the audit log: what they have, who may write at once, and how they are found."""

import asyncio
import multiprocessing
import secrets
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from server.audit import SERVER_TENANT, AuditAction, CheckpointSigner
from server.storage.audit import AuditLog, append
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.database import Database, open_database
from tests.server.storage.audit.chains import NOW, TENANT, event, fill, verify

_WRITERS = 3


async def test_an_entry_has_what_the_event_states(log: AuditLog, reader: AuditReader) -> None:
    check_id = uuid4()
    await log.append(event(check_id=check_id, subject="customer-quetzal", images="2"), now=NOW)
    (entry,) = await reader.entries(TENANT)
    assert (entry.sequence, entry.time, entry.action) == (1, NOW, "evidence.read")
    assert (entry.actor, entry.role, entry.address) == ("anna", "compliance_reader", "192.0.2.7")
    assert (entry.check_id, entry.purpose, entry.details) == (str(check_id), "complaint 12", {"images": "2"})
    assert entry.pseudonym is not None
    assert "quetzal" not in repr(entry)


async def test_a_chain_is_whole_and_says_what_a_signature_covers(
    log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log, 4)
    (made,) = await log.checkpoint(signer, now=NOW)
    assert (made.number, made.sequence) == (1, 4)
    await fill(log, 2, start=4)
    report = await verify(reader, signer)
    assert report.whole
    assert (report.entries, report.checkpoints, report.covered) == (6, 1, 4)


async def test_tenants_have_chains_of_their_own(log: AuditLog, reader: AuditReader) -> None:
    await log.append_all([event(tenant="b"), event(tenant="a"), event(tenant=SERVER_TENANT)], now=NOW)
    assert await reader.tenants() == tuple(sorted(("a", "b", SERVER_TENANT)))
    assert [entry.sequence for tenant in "ab" for entry in await reader.entries(tenant)] == [1, 1]


async def test_an_entry_fails_with_its_transaction(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log, 2)

    def work(connection: Connection) -> None:
        append(connection, event(), now=NOW)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    assert len(await reader.entries(TENANT)) == 2
    assert (await verify(reader, signer)).whole


async def test_the_same_change_is_logged_once(log: AuditLog, reader: AuditReader) -> None:
    action = AuditAction.SETTINGS_CHANGED
    for digest in ("a", "a", "b", "b", "a"):
        await log.append(event(), now=NOW)
        await log.append_if_changed(event(action, sha256=digest), now=NOW, by="sha256")
    found = await reader.entries(TENANT, chosen=AuditFilter(action=action))
    assert [entry.details["sha256"] for entry in found] == ["a", "b", "a"]


async def test_concurrent_writers_make_one_chain(
    log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await asyncio.gather(*(fill(log, 5, start=10 * writer) for writer in range(8)))
    report = await verify(reader, signer)
    assert report.whole
    assert report.entries == 40


def _replica(url: str, name: str, count: int, secret: int) -> None:
    async def run() -> None:
        database = open_database(url)
        try:
            log = AuditLog(database)
            signer = CheckpointSigner(ec.derive_private_key(secret, ec.SECP256R1()))

            async def write(writer: int) -> None:
                for index in range(count):
                    await log.append(event(replica=name, index=f"{writer}.{index}"), now=NOW)

            # Few connections: a busy machine takes seconds to open one.
            await asyncio.gather(*(write(writer) for writer in range(_WRITERS)))
            await log.checkpoint(signer, now=NOW, at_least=timedelta(hours=1))
        finally:
            await database.close()

    asyncio.run(run())


@pytest.mark.slow
async def test_two_replicas_make_one_chain(
    url: str, database: Database, log: AuditLog, reader: AuditReader
) -> None:
    context = multiprocessing.get_context("spawn")
    secret = 4711
    replicas = [context.Process(target=_replica, args=(url, name, 5, secret)) for name in ("a", "b")]
    for replica in replicas:
        replica.start()
    for replica in replicas:
        await asyncio.to_thread(replica.join, 60)
        assert replica.exitcode == 0
    entries = await reader.entries(TENANT)
    assert [entry.sequence for entry in entries] == list(range(1, 2 * _WRITERS * 5 + 1))
    assert {entry.details["replica"] for entry in entries} == {"a", "b"}
    # There is one checkpoint in the hour.
    report = await verify(reader, CheckpointSigner(ec.derive_private_key(secret, ec.SECP256R1())))
    assert (report.whole, report.checkpoints) == (True, 1)


async def test_a_chain_is_whole_while_entries_are_written(
    log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log, 3)
    writing = asyncio.create_task(fill(log, 30, start=3))
    while not writing.done():
        assert (await verify(reader, signer)).whole
    await writing


async def test_entries_are_found_by_time_action_actor_and_check(log: AuditLog, reader: AuditReader) -> None:
    check_id = uuid4()
    await fill(log, 4)
    await log.append(event(AuditAction.HOLD_PLACED, check_id=check_id), now=NOW + timedelta(seconds=4))

    async def found(chosen: AuditFilter) -> list[int]:
        return [entry.sequence for entry in await reader.entries(TENANT, chosen=chosen)]

    second = timedelta(seconds=1)
    assert await found(AuditFilter(since=NOW + second, until=NOW + 3 * second)) == [2, 3]
    assert await found(AuditFilter(action="hold.placed")) == [5]
    assert await found(AuditFilter(actor="nobody")) == []
    assert await found(AuditFilter(check_id=str(check_id))) == [5]
    page = await reader.entries(TENANT, after=4, limit=2, newest_first=True)
    assert [entry.sequence for entry in page] == [3, 2]


async def test_random_details_survive_storage(
    log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await log.append(event(purpose="Prüfung 12 — 审计", token=secrets.token_hex(8)), now=NOW)
    assert (await verify(reader, signer)).whole
