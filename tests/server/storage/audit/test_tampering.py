# ruff: noqa: S608 - the statements are those of an attacker, and every value is from these modules
"""One test for each kind of tampering with the audit log, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import Connection, text

from server.audit import CheckpointSigner, ProblemKind
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from server.storage.errors import StorageUnavailable
from tests.server.databases import make_tables
from tests.server.storage.audit.chains import NOW, TENANT, event, fill, kinds, tampering, verify


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
async def test_the_database_refuses_changes(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner, statement: str
) -> None:
    await fill(log, 3)
    await log.checkpoint(signer, now=NOW)
    with pytest.raises(StorageUnavailable):
        await database.write(_execute, statement)
    report = await verify(reader, signer)
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
        "actor = 'bernd'",
        "time_us = time_us + 1",
        "action = 'evidence.exported'",
        "address = '192.0.2.8'",
        "role = 'operator'",
        "check_id = '00000000-0000-0000-0000-000000000000'",
        "pseudonym = NULL",
        "detail = '{}'",
        "hash = '00'",
    ],
)
async def test_an_altered_entry_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner, change: str
) -> None:
    for index in range(5):
        await log.append(event(subject="customer-1", index=str(index)), now=NOW)
    async with tampering(database) as statements:
        statements.append(f"UPDATE audit_events SET {change} WHERE sequence = 3")
    report = await verify(reader, signer)
    assert ProblemKind.ALTERED in kinds(report)
    assert 3 in {problem.sequence for problem in report.problems}


async def test_a_row_with_values_of_other_types_is_found(sqlite_url: str, signer: CheckpointSigner) -> None:
    await make_tables(sqlite_url)
    database = open_database(sqlite_url)
    await fill(AuditLog(database))
    async with tampering(database) as statements:
        statements.append("UPDATE audit_events SET time_us = 'noon' WHERE sequence = 2")
        statements.append("UPDATE audit_events SET sequence = 'last' WHERE sequence = 4")
    report = await verify(AuditReader(database), signer)
    assert {problem.sequence for problem in report.problems if problem.kind is ProblemKind.ALTERED} >= {2}
    assert ProblemKind.REMOVED in kinds(report)
    await database.close()


async def test_a_removed_entry_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_events WHERE sequence = 3")
    (problem,) = (await verify(reader, signer)).problems
    assert (problem.kind, problem.sequence) == (ProblemKind.REMOVED, 4)


async def test_a_removed_first_entry_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_events WHERE sequence = 1")
    assert kinds(await verify(reader, signer)) == {ProblemKind.REMOVED}


async def test_a_removed_entry_with_a_closed_gap_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_events WHERE sequence = 3")
        statements.append("UPDATE audit_events SET sequence = 3 WHERE sequence = 4")
        statements.append("UPDATE audit_events SET sequence = 4 WHERE sequence = 5")
        statements.append("UPDATE audit_heads SET sequence = 4")
    assert kinds(await verify(reader, signer)) == {ProblemKind.ALTERED}


async def test_an_inserted_entry_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        for sequence in (5, 4, 3):
            statements.append(
                f"UPDATE audit_events SET sequence = {sequence + 1} WHERE sequence = {sequence}"
            )
        statements.append(
            "INSERT INTO audit_events SELECT tenant, 3, time_us, 'hold.released', actor, role, address, "
            "check_id, pseudonym, purpose, detail, hash FROM audit_events WHERE sequence = 2"
        )
        statements.append("UPDATE audit_heads SET sequence = 6")
    report = await verify(reader, signer)
    assert ProblemKind.ALTERED in kinds(report)
    assert min(problem.sequence for problem in report.problems) == 3


@pytest.mark.parametrize("number", [0, -7])
async def test_a_row_before_the_first_entry_is_found_and_not_shown(
    number: int, database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append(
            f"INSERT INTO audit_events SELECT tenant, {number}, time_us, 'hold.released', actor, role, "
            "address, check_id, pseudonym, purpose, detail, hash FROM audit_events WHERE sequence = 2"
        )
    report = await verify(reader, signer)
    assert [(one.kind, one.sequence) for one in report.problems] == [(ProblemKind.INSERTED, number)]
    assert number not in {one.sequence for one in await reader.entries(TENANT, newest_first=True)}


async def test_an_entry_behind_the_head_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    forged = (await reader.entries(TENANT))[-1]
    await log.append(event(), now=NOW)
    async with tampering(database) as statements:
        statements.append(f"UPDATE audit_heads SET sequence = 5, hash = '{forged.hash}'")
    assert kinds(await verify(reader, signer)) == {ProblemKind.INSERTED}


async def test_reordered_entries_are_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append("UPDATE audit_events SET sequence = 99 WHERE sequence = 2")
        statements.append("UPDATE audit_events SET sequence = 2 WHERE sequence = 3")
        statements.append("UPDATE audit_events SET sequence = 3 WHERE sequence = 99")
    report = await verify(reader, signer)
    assert kinds(report) == {ProblemKind.ALTERED}
    assert {problem.sequence for problem in report.problems} >= {2, 3}


async def test_a_truncated_chain_is_found_by_its_head(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_events WHERE sequence > 3")
    (problem,) = (await verify(reader, signer)).problems
    assert (problem.kind, problem.sequence) == (ProblemKind.TRUNCATED, 4)


async def test_a_chain_without_its_head_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_heads")
    assert kinds(await verify(reader, signer)) == {ProblemKind.HEAD_ALTERED}
