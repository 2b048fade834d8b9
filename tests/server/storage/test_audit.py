"""The audit log in SQLite and PostgreSQL."""

# ruff: noqa: S608 - the statements are those of an attacker, and every value is from this module

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, text

from server.audit import (
    SERVER_TENANT,
    Actor,
    AuditAction,
    AuditEvent,
    CheckpointKeys,
    CheckpointSigner,
    Head,
    LogChanged,
    ProblemKind,
    Report,
    SignedCheckpoint,
    digest_of,
    entry_hash,
    subject_hash,
    subject_hashes,
)
from server.base.key_validity import PublishedKey
from server.storage.audit import AuditLog, append, erase_subject_key
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.audit_witness import AuditWitness
from server.storage.database import Database, open_database
from server.storage.errors import StorageUnavailable
from tests.server.databases import make_tables


@pytest.fixture(scope="module")
def signer() -> CheckpointSigner:
    return CheckpointSigner(ec.generate_private_key(ec.SECP256R1()))


# Chains of audit entries, and what an attacker does to them.

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
TENANT = "bank"
TENANT_KEY = bytes(range(32))
TABLES = ("audit_events", "audit_heads", "audit_checkpoints", "audit_subjects")
_TRIGGERS = tuple(f"{table}_{what}" for table in TABLES[:3] for what in ("update", "delete"))


def event(
    action: AuditAction = AuditAction.EVIDENCE_READ,
    *,
    tenant: str = TENANT,
    check_id: UUID | None = None,
    subject: str = "",
    purpose: str = "complaint 12",
    **detail: str,
) -> AuditEvent:
    return AuditEvent(
        tenant=tenant,
        action=action,
        actor=Actor(name="anna", role="compliance_reader", address="192.0.2.7"),
        check_id=check_id,
        subject=subject_hash(TENANT_KEY, subject),
        purpose=purpose,
        detail=detail,
    )


@dataclass(frozen=True)
class Audit:
    """A log, what reads it, the key that signs it, and the database that somebody tampers with."""

    database: Database
    log: AuditLog
    reader: AuditReader
    signer: CheckpointSigner

    async def fill(self, count: int = 5, *, start: int = 0) -> None:
        """Append entries, a second apart."""
        for index in range(start, start + count):
            await self.log.append(event(index=str(index)), now=NOW + timedelta(seconds=index))

    async def verify(self, *, saved: Sequence[str] = ()) -> Report:
        return await self.reader.verify(TENANT, keys=self.signer.keys, saved=saved)

    async def tamper(self, *statements: str) -> None:
        """Run statements as somebody who owns the tables and so may drop their triggers."""

        def work(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":
                # What a superuser can do; the owner of the tables could drop the triggers instead.
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                for trigger in _TRIGGERS:
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            for statement in statements:
                connection.execute(text(statement))

        await self.database.write(work)

    async def recompute(self, *, start: int) -> None:
        """Compute the hashes of all entries from ``start`` on and of the head anew, as an attacker would."""
        entries = await self.reader.entries(TENANT)
        previous = bytes.fromhex(entries[start - 2].hash) if start > 1 else bytes(32)
        statements = []
        for entry in entries[start - 1 :]:
            previous = entry_hash(entry, previous=previous)
            statements.append(
                f"UPDATE audit_events SET hash = '{previous.hex()}' "
                f"WHERE tenant = '{TENANT}' AND sequence = {entry.sequence}"
            )
        statements.append(f"UPDATE audit_heads SET hash = '{previous.hex()}' WHERE tenant = '{TENANT}'")
        await self.tamper(*statements)


@pytest.fixture
def audit(database: Database, signer: CheckpointSigner) -> Audit:
    return Audit(database, AuditLog(database), AuditReader(database), signer)


@pytest_asyncio.fixture
async def sqlite_audit(sqlite_url: str, signer: CheckpointSigner) -> AsyncIterator[Audit]:
    """A log in SQLite, which stores a value of any type in any column."""
    await make_tables(sqlite_url)
    database = open_database(sqlite_url)
    yield Audit(database, AuditLog(database), AuditReader(database), signer)
    await database.close()


def kinds(report: Report) -> set[ProblemKind]:
    return {problem.kind for problem in report.problems}


# Entries of the audit log: what they have, who may write at once, and how they are found.

_WRITERS = 3


async def test_an_entry_has_what_the_event_states(audit: Audit) -> None:
    check_id = uuid4()
    made = event(check_id=check_id, subject="customer-quetzal", purpose="Prüfung 12 — 审计", images="2")
    await audit.log.append(made, now=NOW)
    (entry,) = await audit.reader.entries(TENANT)
    assert (entry.sequence, entry.time, entry.action) == (1, NOW, "evidence.read")
    assert (entry.actor, entry.role, entry.address) == ("anna", "compliance_reader", "192.0.2.7")
    assert (entry.check_id, entry.purpose, entry.details) == (str(check_id), made.purpose, {"images": "2"})
    assert entry.pseudonym is not None
    assert "quetzal" not in repr(entry)
    assert (await audit.verify()).whole


async def test_a_chain_is_whole_and_says_what_a_signature_covers(audit: Audit) -> None:
    await audit.fill(4)
    (made,) = await audit.log.checkpoint(audit.signer, now=NOW)
    assert (made.number, made.sequence) == (1, 4)
    await audit.fill(2, start=4)
    report = await audit.verify()
    assert report.whole
    assert (report.entries, report.checkpoints, report.covered) == (6, 1, 4)


async def test_tenants_have_chains_of_their_own(audit: Audit) -> None:
    tenants = ("b", "a", SERVER_TENANT)
    await audit.log.append_all([event(tenant=tenant, subject="anna") for tenant in tenants], now=NOW)
    assert await audit.reader.tenants() == tuple(sorted(tenants))
    entries = [entry for tenant in "ab" for entry in await audit.reader.entries(tenant)]
    assert [entry.sequence for entry in entries] == [1, 1]
    # So are the pseudonyms.
    assert entries[0].pseudonym != entries[1].pseudonym


async def test_an_entry_fails_with_its_transaction(audit: Audit) -> None:
    await audit.fill(2)

    def work(connection: Connection) -> None:
        append(connection, event(), now=NOW)
        raise LookupError

    with pytest.raises(LookupError):
        await audit.database.write(work)
    assert len(await audit.reader.entries(TENANT)) == 2
    assert (await audit.verify()).whole


async def test_the_same_change_is_logged_once(audit: Audit) -> None:
    action = AuditAction.SETTINGS_CHANGED
    for digest in ("a", "a", "b", "b", "a"):
        await audit.log.append(event(), now=NOW)
        await audit.log.append_if_changed(event(action, sha256=digest), now=NOW)
    found = await audit.reader.entries(TENANT, chosen=AuditFilter(actions=(action,)))
    assert [entry.details["sha256"] for entry in found] == ["a", "b", "a"]


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
@pytest.mark.timeout(600)
async def test_two_replicas_make_one_chain(audit: Audit, url: str) -> None:
    context = multiprocessing.get_context("spawn")
    secret = 4711
    replicas = [context.Process(target=_replica, args=(url, name, 5, secret)) for name in ("a", "b")]
    for replica in replicas:
        replica.start()
    for replica in replicas:
        await asyncio.to_thread(replica.join, 300)
        assert replica.exitcode == 0
    entries = await audit.reader.entries(TENANT)
    assert [entry.sequence for entry in entries] == list(range(1, 2 * _WRITERS * 5 + 1))
    assert {entry.details["replica"] for entry in entries} == {"a", "b"}
    # There is one checkpoint in the hour.
    report = await audit.reader.verify(
        TENANT, keys=CheckpointSigner(ec.derive_private_key(secret, ec.SECP256R1())).keys
    )
    assert (report.whole, report.checkpoints) == (True, 1)


async def test_a_chain_is_whole_while_entries_are_written(audit: Audit) -> None:
    await audit.fill(3)
    writing = asyncio.create_task(audit.fill(30, start=3))
    while not writing.done():
        assert (await audit.verify()).whole
    await writing


async def test_entries_are_found_by_time_action_actor_and_check(audit: Audit) -> None:
    check_id = uuid4()
    await audit.fill(4)
    await audit.log.append(event(AuditAction.HOLD_PLACED, check_id=check_id), now=NOW + timedelta(seconds=4))

    async def found(chosen: AuditFilter) -> list[int]:
        return [entry.sequence for entry in await audit.reader.entries(TENANT, chosen=chosen)]

    second = timedelta(seconds=1)
    assert await found(AuditFilter(since=NOW + second, until=NOW + 3 * second)) == [2, 3]
    assert await found(AuditFilter(actions=("hold.placed", "hold.released"))) == [5]
    assert await found(AuditFilter(actor="nobody")) == []
    assert await found(AuditFilter(check_id=str(check_id))) == [5]
    page = await audit.reader.entries(TENANT, after=4, limit=2, newest_first=True)
    assert [entry.sequence for entry in page] == [3, 2]


# Checkpoints of the audit log: when they are made, and what they and their copies find.


async def test_a_truncated_chain_with_its_head_is_found_by_a_checkpoint(audit: Audit) -> None:
    await audit.fill()
    await audit.log.checkpoint(audit.signer, now=NOW)
    await _cut_the_entries(audit)
    assert kinds(await audit.verify()) == {ProblemKind.TRUNCATED}


async def test_a_chain_that_was_computed_anew_is_found_by_a_checkpoint(audit: Audit) -> None:
    await audit.fill()
    await audit.log.checkpoint(audit.signer, now=NOW)
    await audit.fill(2, start=5)
    await audit.tamper("UPDATE audit_events SET purpose = 'other' WHERE sequence = 3")
    await audit.recompute(start=3)
    (problem,) = (await audit.verify()).problems
    assert (problem.kind, problem.sequence) == (ProblemKind.REWRITTEN, 5)


async def test_entries_behind_the_newest_checkpoint_are_what_can_be_computed_anew(audit: Audit) -> None:
    await audit.fill()
    await audit.log.checkpoint(audit.signer, now=NOW)
    await audit.fill(2, start=5)
    await audit.tamper("UPDATE audit_events SET purpose = 'other' WHERE sequence = 6")
    await audit.recompute(start=6)
    report = await audit.verify()
    assert report.whole
    # The report says up to where a signature protects the chain.
    assert (report.covered, report.entries) == (5, 7)


async def test_a_checkpoint_of_another_key_is_found(audit: Audit) -> None:
    await audit.fill()
    await audit.log.checkpoint(CheckpointSigner(ec.generate_private_key(ec.SECP256R1())), now=NOW)
    report = await audit.verify()
    assert kinds(report) == {ProblemKind.CHECKPOINT_INVALID}
    assert report.covered == 0


async def test_a_checkpoint_that_is_missing_between_others_is_found(audit: Audit) -> None:
    for index in range(3):
        await audit.fill(2, start=2 * index)
        await audit.log.checkpoint(audit.signer, now=NOW)
    await audit.tamper(
        "DELETE FROM audit_checkpoints WHERE number = 2",
        "UPDATE audit_checkpoints SET number = 2 WHERE number = 3",
    )
    assert kinds(await audit.verify()) == {
        ProblemKind.CHECKPOINT_INVALID,
        ProblemKind.CHECKPOINT_REMOVED,
    }


async def test_a_log_that_was_cut_with_its_checkpoints_is_found_by_a_copy(audit: Audit) -> None:
    await audit.fill(3)
    (first,) = await audit.log.checkpoint(audit.signer, now=NOW)
    await audit.fill(3, start=3)
    (second,) = await audit.log.checkpoint(audit.signer, now=NOW)
    await _cut_the_entries(audit)
    await audit.tamper("DELETE FROM audit_checkpoints WHERE number = 2")
    assert (await audit.verify(saved=[first.jws])).whole
    assert kinds(await audit.verify(saved=[first.jws, second.jws])) == {
        ProblemKind.CHECKPOINT_REMOVED,
        ProblemKind.TRUNCATED,
    }


async def test_replicas_make_one_checkpoint_in_an_interval(audit: Audit) -> None:
    hour = timedelta(hours=1)
    await audit.fill(1)
    assert len(await audit.log.checkpoint(audit.signer, now=NOW, at_least=hour)) == 1
    assert await audit.log.checkpoint(audit.signer, now=NOW + 2 * hour, at_least=hour) == ()
    await audit.fill(1, start=1)
    assert await audit.log.checkpoint(audit.signer, now=NOW + hour / 2, at_least=hour) == ()
    assert len(await audit.log.checkpoint(audit.signer, now=NOW + hour, at_least=hour)) == 1
    assert (await audit.verify()).covered == 2


async def test_the_oldest_entry_that_no_checkpoint_covers_has_its_time(audit: Audit) -> None:
    assert await audit.log.uncovered_since() is None
    await audit.fill(2)
    assert await audit.log.uncovered_since() == NOW
    await audit.log.checkpoint(audit.signer, now=NOW)
    assert await audit.log.uncovered_since() is None
    await audit.fill(2, start=7)
    assert await audit.log.uncovered_since() == NOW + timedelta(seconds=7)


async def test_a_time_stamp_is_added_once(audit: Audit) -> None:
    await audit.fill()
    (made,) = await audit.log.checkpoint(audit.signer, now=NOW)
    assert await audit.log.without_timestamp(10) == (made,)
    await audit.log.add_timestamp(made, b"first")
    await audit.log.add_timestamp(made, b"second")
    assert [found.timestamp for found in await audit.reader.checkpoints(TENANT)] == [b"first"]
    assert await audit.log.without_timestamp(10) == ()
    with pytest.raises(StorageUnavailable):
        await audit.database.write(
            lambda connection: connection.execute(text("UPDATE audit_checkpoints SET timestamp = NULL"))
        )


# Pseudonyms in the audit log: one person, one tenant, until the key is erased.


async def test_a_person_keeps_a_pseudonym_until_the_key_is_erased(audit: Audit) -> None:
    for subject in ("customer-1", "customer-2", "customer-1"):
        await audit.log.append(event(subject=subject), now=NOW)
    first, second, again = (entry.pseudonym for entry in await audit.reader.entries(TENANT))
    assert first == again != second
    hashed = subject_hash(TENANT_KEY, "customer-1")
    assert hashed is not None
    assert first is not None
    assert await audit.reader.pseudonyms_of(TENANT, [hashed]) == (first,)
    assert len(await audit.reader.entries(TENANT, chosen=AuditFilter(pseudonyms=(first,)))) == 2
    assert await audit.database.write(erase_subject_key, TENANT, hashed)
    assert not await audit.database.write(erase_subject_key, TENANT, hashed)
    assert await audit.reader.pseudonyms_of(TENANT, [hashed]) == ()
    assert (await audit.verify()).whole
    await audit.log.append(event(subject="customer-1"), now=NOW)
    assert (await audit.reader.entries(TENANT))[-1].pseudonym not in {first, second}


async def test_a_person_is_found_under_the_pseudonyms_of_every_memory_key(audit: Audit) -> None:
    rotated = bytes(32)
    newest = replace(event(subject="customer-1"), subject=subject_hash(rotated, "customer-1"))
    await audit.log.append(event(subject="customer-1"), now=NOW)
    await audit.log.append(newest, now=NOW)
    subjects = subject_hashes((rotated, TENANT_KEY), "customer-1")
    found, _ = await audit.reader.page(TENANT, chosen=AuditFilter(), subjects=subjects, before=0, limit=10)
    assert [entry.sequence for entry in found] == [2, 1]
    assert len({entry.pseudonym for entry in found}) == 2


# One test for each kind of tampering with the audit log, on SQLite and PostgreSQL.


_INSERTED = (
    "INSERT INTO audit_events SELECT tenant, {sequence}, time_us, 'hold.released', actor, role, address, "
    "check_id, pseudonym, purpose, detail, hash FROM audit_events WHERE sequence = 2"
)


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET purpose = 'none'",
        "DELETE FROM audit_events",
        "UPDATE audit_heads SET sequence = 1",
        "DELETE FROM audit_heads",
        "UPDATE audit_checkpoints SET sequence = 1",
        "UPDATE audit_checkpoints SET position = NULL",
        "DELETE FROM audit_checkpoints",
    ],
)
async def test_the_database_refuses_changes(audit: Audit, statement: str) -> None:
    await audit.fill(3)
    await audit.log.checkpoint(audit.signer, now=NOW)
    with pytest.raises(StorageUnavailable):
        await audit.database.write(_execute, statement)
    report = await audit.verify()
    assert report.whole
    assert report.covered == 3


async def test_postgresql_refuses_truncate(postgres_url: str) -> None:
    await make_tables(postgres_url)
    database = open_database(postgres_url)
    for table in ("audit_events", "audit_heads", "audit_checkpoints"):
        with pytest.raises(StorageUnavailable):
            await database.write(_execute, f"TRUNCATE {table}")
    await database.close()


@pytest.mark.parametrize(
    "change",
    [
        "purpose = 'other'",
        "time_us = time_us + 1",
        "check_id = '00000000-0000-0000-0000-000000000000'",
        "pseudonym = NULL",
        "hash = '00'",
    ],
)
async def test_an_altered_entry_is_found(audit: Audit, change: str) -> None:
    for index in range(5):
        await audit.log.append(event(subject="customer-1", index=str(index)), now=NOW)
    await audit.tamper(f"UPDATE audit_events SET {change} WHERE sequence = 3")
    report = await audit.verify()
    assert ProblemKind.ALTERED in kinds(report)
    assert 3 in {problem.sequence for problem in report.problems}


async def test_a_row_with_values_of_other_types_is_found(sqlite_audit: Audit) -> None:
    await sqlite_audit.fill()
    await sqlite_audit.tamper(
        "UPDATE audit_events SET time_us = 'noon' WHERE sequence = 2",
        "UPDATE audit_events SET sequence = 'last' WHERE sequence = 4",
    )
    report = await sqlite_audit.verify()
    assert {problem.sequence for problem in report.problems if problem.kind is ProblemKind.ALTERED} >= {2}
    assert ProblemKind.REMOVED in kinds(report)


@pytest.mark.parametrize(
    ("statements", "kind", "found"),
    [
        (["DELETE FROM audit_events WHERE sequence = 3"], ProblemKind.REMOVED, [4]),
        (["DELETE FROM audit_events WHERE sequence = 1"], ProblemKind.REMOVED, [2]),
        (["DELETE FROM audit_events WHERE sequence > 3"], ProblemKind.TRUNCATED, [4]),
        (["DELETE FROM audit_heads"], ProblemKind.HEAD_ALTERED, [5]),
        (
            [
                "DELETE FROM audit_events WHERE sequence = 3",
                "UPDATE audit_events SET sequence = 3 WHERE sequence = 4",
                "UPDATE audit_events SET sequence = 4 WHERE sequence = 5",
                "UPDATE audit_heads SET sequence = 4",
            ],
            ProblemKind.ALTERED,
            [3, 4],
        ),
    ],
    ids=["removed", "first removed", "truncated", "no head", "gap closed"],
)
async def test_a_changed_chain_is_found(
    audit: Audit, statements: list[str], kind: ProblemKind, found: list[int]
) -> None:
    await audit.fill()
    await audit.tamper(*statements)
    report = await audit.verify()
    assert kinds(report) == {kind}
    assert [problem.sequence for problem in report.problems] == found


@pytest.mark.parametrize("number", [0, -7])
async def test_a_row_before_the_first_entry_is_found_and_not_shown(audit: Audit, number: int) -> None:
    await audit.fill()
    await audit.tamper(_INSERTED.format(sequence=number))
    report = await audit.verify()
    assert [(one.kind, one.sequence) for one in report.problems] == [(ProblemKind.INSERTED, number)]
    assert number not in {one.sequence for one in await audit.reader.entries(TENANT, newest_first=True)}


async def test_an_entry_behind_the_head_is_found(audit: Audit) -> None:
    await audit.fill()
    forged = (await audit.reader.entries(TENANT))[-1]
    await audit.log.append(event(), now=NOW)
    await audit.tamper(f"UPDATE audit_heads SET sequence = 5, hash = '{forged.hash}'")
    assert kinds(await audit.verify()) == {ProblemKind.INSERTED}


# What is signed only because the log extends the witness, and what a forged or older log is refused for.

_OTHER = "branch"


async def _signed(audit: Audit) -> tuple[str, ...]:
    """Make a log of two tenants with two checkpoints each, and an entry without; return the witness."""
    for round_ in range(2):
        await audit.fill(3, start=3 * round_)
        await audit.log.append(event(tenant=_OTHER), now=NOW)
        await audit.log.checkpoint(audit.signer, now=NOW + timedelta(minutes=round_))
    await audit.fill(1, start=6)
    return audit.log.witness


async def _rewrite_without_checkpoints(audit: Audit) -> None:
    await audit.tamper(
        f"UPDATE audit_events SET purpose = 'other' WHERE tenant = '{TENANT}' AND sequence = 2",
        f"DELETE FROM audit_events WHERE tenant = '{TENANT}' AND sequence > 5",
        f"UPDATE audit_heads SET sequence = 5 WHERE tenant = '{TENANT}'",
        f"DELETE FROM audit_checkpoints WHERE tenant = '{TENANT}'",
    )
    await audit.recompute(start=2)


async def _cut(audit: Audit, tenant: str, last: int) -> None:
    """Remove the entries behind one, and say that it is the head."""
    (entry,) = await audit.reader.entries(tenant, after=last - 1, limit=1)
    await audit.tamper(
        f"DELETE FROM audit_events WHERE tenant = '{tenant}' AND sequence > {last}",
        f"UPDATE audit_heads SET sequence = {last}, hash = '{entry.hash}' WHERE tenant = '{tenant}'",
    )


async def _cut_the_entries(audit: Audit) -> None:
    await _cut(audit, TENANT, 3)


async def _delete_the_newest(audit: Audit) -> None:
    await _cut_the_entries(audit)
    await audit.tamper("DELETE FROM audit_checkpoints WHERE position > 2")


async def _remove_a_tenant(audit: Audit) -> None:
    tables = ("audit_events", "audit_heads", "audit_checkpoints")
    await audit.tamper(*(f"DELETE FROM {table} WHERE tenant = '{_OTHER}'" for table in tables))


async def _roll_back(audit: Audit) -> None:
    await _delete_the_newest(audit)
    await _cut(audit, _OTHER, 1)


async def _remove_all(audit: Audit) -> None:
    await audit.tamper(*(f"DELETE FROM audit_{name}" for name in ("events", "heads", "checkpoints")))


async def _rewrite_behind_the_checkpoints(audit: Audit) -> None:
    await audit.tamper(
        f"UPDATE audit_events SET purpose = 'other' WHERE tenant = '{TENANT}' AND sequence = 2"
    )
    await audit.recompute(start=2)


async def _alter_the_entry_that_is_not_signed(audit: Audit) -> None:
    await audit.tamper(
        f"UPDATE audit_events SET purpose = 'other' WHERE tenant = '{TENANT}' AND sequence = 7"
    )


async def _remove_the_positions(audit: Audit) -> None:
    await audit.tamper("UPDATE audit_checkpoints SET position = NULL")


_FORGERIES = (
    _rewrite_without_checkpoints,
    _delete_the_newest,
    _remove_a_tenant,
    _roll_back,
    _remove_all,
    _rewrite_behind_the_checkpoints,
    _cut_the_entries,
    _alter_the_entry_that_is_not_signed,
    _remove_the_positions,
)
_Forgery = Callable[[Audit], Awaitable[None]]


async def _stored(reader: AuditReader) -> list[SignedCheckpoint]:
    return [found for tenant in await reader.tenants() for found in await reader.checkpoints(tenant)]


@pytest.mark.parametrize("forgery", _FORGERIES)
@pytest.mark.parametrize("restarted", [True, False])
async def test_a_forged_log_is_not_signed(audit: Audit, *, forgery: _Forgery, restarted: bool) -> None:
    witnessed = await _signed(audit)
    await forgery(audit)
    before = await _stored(audit.reader)
    # A running server knows what it signed; one that starts has the witness.
    server = AuditLog(audit.database) if restarted else audit.log
    with pytest.raises(LogChanged):
        await server.checkpoint(
            audit.signer, now=NOW + timedelta(hours=1), witnessed=witnessed if restarted else ()
        )
    assert await _stored(audit.reader) == before
    assert await AuditLog(audit.database).changes(audit.signer.keys, witnessed=witnessed)


@pytest.mark.parametrize("forgery", _FORGERIES)
async def test_a_forged_log_is_signed_again_after_it_was_accepted_and_the_loss_stays_visible(
    audit: Audit, forgery: _Forgery
) -> None:
    witnessed = await _signed(audit)
    await forgery(audit)
    accepted = AuditEvent(
        tenant=SERVER_TENANT, action=AuditAction.AUDIT_ACCEPTED, actor=event().actor, purpose="restored"
    )
    made = await AuditLog(audit.database).accept(audit.signer, accepted, now=NOW, witnessed=witnessed)
    assert audit.signer.keys.verify(made[0].jws).accepted
    assert made[0].position == 5
    # Neither a server that starts nor one that ran before objects, with or without the newer witness.
    for known, witness in (
        (audit.log, witnessed),
        (AuditLog(audit.database), witnessed),
        (audit.log, [one.jws for one in made]),
    ):
        await audit.fill(1, start=8)
        assert await known.checkpoint(audit.signer, now=NOW, witnessed=witness)
    # A copy that was kept elsewhere, or the log itself, shows what happened for ever.
    assert [
        problem
        for tenant in (TENANT, _OTHER)
        for problem in (await audit.reader.verify(tenant, keys=audit.signer.keys, saved=witnessed)).problems
    ]


async def test_without_a_witness_a_log_without_its_positions_is_not_signed_anew(audit: Audit) -> None:
    await _signed(audit)
    await _remove_a_tenant(audit)
    await _remove_the_positions(audit)
    before = await _stored(audit.reader)
    server = AuditLog(audit.database)
    (problem,) = await server.changes(audit.signer.keys, witnessed=())
    assert (problem.tenant, problem.kind) == (TENANT, ProblemKind.CHECKPOINT_INVALID)
    with pytest.raises(LogChanged):
        await server.checkpoint(audit.signer, now=NOW + timedelta(hours=1))
    assert await _stored(audit.reader) == before
    report = await audit.reader.verify(TENANT, keys=audit.signer.keys)
    assert {problem.kind for problem in report.problems} == {ProblemKind.CHECKPOINT_INVALID}


@pytest.mark.parametrize("value", ["'x'", "X'00'", "2.5"])
@pytest.mark.parametrize(
    "column",
    [f"audit_checkpoints.{name}" for name in ("position", "number", "sequence", "jws")]
    + ["audit_heads.sequence", "audit_heads.hash"],
)
async def test_values_of_other_types_are_problems_and_no_faults(
    sqlite_audit: Audit, column: str, value: str
) -> None:
    signer, reader = sqlite_audit.signer, sqlite_audit.reader
    witnessed = await _signed(sqlite_audit)
    table, name = column.split(".")
    row = f"tenant = '{TENANT}'" if table == "audit_heads" else "position = 4"
    await sqlite_audit.tamper(f"UPDATE {table} SET {name} = {value} WHERE {row}")
    chain = await reader.verify_checkpoints(signer.keys)
    reports = [await reader.verify(tenant, keys=signer.keys) for tenant in await reader.tenants()]
    assert chain.problems or any(report.problems for report in reports)
    # A server looks from the newest checkpoint on, and there only at what is signed.
    with suppress(LogChanged):
        await AuditLog(sqlite_audit.database).checkpoint(
            signer, now=NOW + timedelta(hours=1), witnessed=witnessed
        )


async def test_the_chain_over_all_logs_must_have_the_copies(audit: Audit) -> None:
    await _signed(audit)
    copies = {one.position: digest_of(one.jws).hex() for one in await _stored(audit.reader)}
    assert not (await audit.reader.verify_checkpoints(audit.signer.keys, copies=copies)).problems
    await _delete_the_newest(audit)
    chain = await audit.reader.verify_checkpoints(audit.signer.keys, copies=copies)
    assert [(one.kind, one.sequence) for one in chain.problems] == [
        (ProblemKind.CHECKPOINT_REMOVED, 3),
        (ProblemKind.CHECKPOINT_REMOVED, 4),
    ]


async def test_a_log_extends_an_older_witness(audit: Audit) -> None:
    witnessed = await _signed(audit)
    now = NOW + timedelta(hours=1)
    await audit.log.checkpoint(audit.signer, now=now)
    # The server was killed before it wrote the witness.
    assert await AuditLog(audit.database).checkpoint(audit.signer, now=now, witnessed=witnessed) == ()
    await audit.fill(1, start=7)
    later = AuditLog(audit.database)
    (made,) = await later.checkpoint(audit.signer, now=now, witnessed=witnessed)
    assert (made.position, made.number) == (6, 4)
    assert later.witness[-1] == made.jws
    assert later.position == 6


async def test_replicas_sign_one_chain(audit: Audit) -> None:
    replicas = [AuditLog(audit.database) for _ in range(3)]
    for round_ in range(4):
        await audit.fill(1, start=round_)
        await replicas[0].append(event(tenant=_OTHER), now=NOW)
        await asyncio.gather(*(each.checkpoint(audit.signer, now=NOW) for each in replicas))
    for replica in replicas:
        assert await replica.checkpoint(audit.signer, now=NOW) == ()
        assert replica.position == 8
    assert sorted(found.position for found in await _stored(audit.reader)) == list(range(1, 9))
    chain = await audit.reader.verify_checkpoints(audit.signer.keys)
    assert (chain.position, chain.problems) == (8, [])


async def test_a_replica_that_signs_after_the_chain_was_read_raises_no_alarm(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = AuditLog(audit.database), AuditLog(audit.database)
    await audit.fill(1)
    heads = first._reader.heads

    async def heads_while_another_signs() -> dict[str, Head]:
        found = await heads()
        monkeypatch.setattr(first._reader, "heads", heads)
        await audit.fill(1, start=1)
        assert len(await second.checkpoint(audit.signer, now=NOW)) == 1
        return found

    # Of this log alone: servers of other tests may sign in the same loop.
    monkeypatch.setattr(first._reader, "heads", heads_while_another_signs)
    assert await first.checkpoint(audit.signer, now=NOW) == ()
    assert await first.checkpoint(audit.signer, now=NOW) == ()
    assert first.position == 1
    assert not (await audit.reader.verify_checkpoints(audit.signer.keys)).problems


@pytest.mark.parametrize("position", ["NULL", "5"])
async def test_an_inserted_checkpoint_stops_the_signing(audit: Audit, position: str) -> None:
    witnessed = await _signed(audit)
    await audit.tamper(
        "INSERT INTO audit_checkpoints (tenant, number, sequence, time_us, jws, position) "
        f"VALUES ('{TENANT}', 3, 7, 0, 'a.b.c', {position})",
    )
    for server in (audit.log, AuditLog(audit.database)):
        with pytest.raises(LogChanged):
            await server.checkpoint(audit.signer, now=NOW + timedelta(hours=1), witnessed=witnessed)


@pytest.mark.parametrize("content", ["", "nonsense", "a.b.c"])
async def test_a_witness_that_holds_something_else_is_not_believed(audit: Audit, content: str) -> None:
    await audit.fill(1)
    with pytest.raises(LogChanged):
        await audit.log.checkpoint(audit.signer, now=NOW, witnessed=[content])


@pytest.mark.parametrize("older", [False, True], ids=["whole", "from a backup"])
async def test_a_log_whose_key_was_lost_is_signed_again_after_it_was_accepted(
    audit: Audit, *, older: bool
) -> None:
    witnessed = await _signed(audit)
    if older:
        await _roll_back(audit)
    # The key folder is from before the rotation to the key that signed.
    other = CheckpointSigner(ec.generate_private_key(ec.SECP256R1()), place="/keys")
    server = AuditLog(audit.database)
    with pytest.raises(LogChanged, match=rf"{audit.signer._key.thumbprint()}.* missing from /keys"):
        await server.checkpoint(other, now=NOW + timedelta(hours=1), witnessed=witnessed)
    assert await server.changes(other.keys, witnessed=witnessed)
    accepted = AuditEvent(
        tenant=SERVER_TENANT, action=AuditAction.AUDIT_ACCEPTED, actor=event().actor, purpose="key lost"
    )
    made = await server.accept(other, accepted, now=NOW, witnessed=witnessed, position=4)
    assert [one.position for one in made] == [5, 6, 7]
    assert other.keys.verify(made[0].jws).accepted == digest_of(witnessed[-1]).hex()
    await audit.fill(1, start=8)
    assert await AuditLog(audit.database).checkpoint(other, now=NOW, witnessed=[one.jws for one in made])
    # With the key, all is whole but what is lost; without it, what it signed cannot be verified.
    both = CheckpointKeys([PublishedKey(one._key.public_key) for one in (audit.signer, other)])
    chain = await audit.reader.verify_checkpoints(both)
    assert not chain.problems
    assert [(one.first, one.last) for one in chain.lost] == ([(3, 4)] if older else [])
    kinds_of_other = {one.kind for one in (await audit.reader.verify_checkpoints(other.keys)).problems}
    assert kinds_of_other == {ProblemKind.CHECKPOINT_INVALID}


async def test_a_witness_never_moves_backwards(tmp_path: Path) -> None:
    first, second = AuditWitness(str(tmp_path)), AuditWitness(tmp_path.as_uri())
    assert await first.read() == await second.read() == ()
    await second.write(["b", "c"], position=12)
    await first.write(["a"], position=9)
    assert await first.read() == ("b", "c")
    await first.write(["d"], position=100)
    assert await second.read() == ("d",)
    # What is older is removed.
    assert second.position == 100
    kept = await asyncio.to_thread(lambda: [file.name for file in tmp_path.rglob("*.jws")])
    assert kept == ["0000000000000100.jws"]
