# ruff: noqa: S608 - the statements are those of an attacker, and every value is from these modules
"""Checkpoints of the audit log: when they are made, and what they and their copies find."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from server.audit import CheckpointSigner, ProblemKind
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.database import Database
from server.storage.errors import StorageUnavailable
from tests.server.storage.audit.chains import NOW, TENANT, fill, kinds, recompute, tampering, verify


async def test_a_truncated_chain_with_its_head_is_found_by_a_checkpoint(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    await log.checkpoint(signer, now=NOW)
    third = (await reader.entries(TENANT))[2]
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_events WHERE sequence > 3")
        statements.append(f"UPDATE audit_heads SET sequence = 3, hash = '{third.hash}'")
    assert kinds(await verify(reader, signer)) == {ProblemKind.TRUNCATED}


async def test_a_chain_that_was_computed_anew_is_found_by_a_checkpoint(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    await log.checkpoint(signer, now=NOW)
    await fill(log, 2, start=5)
    async with tampering(database) as statements:
        statements.append("UPDATE audit_events SET purpose = 'other' WHERE sequence = 3")
    await recompute(database, reader, start=3)
    (problem,) = (await verify(reader, signer)).problems
    assert (problem.kind, problem.sequence) == (ProblemKind.REWRITTEN, 5)


async def test_entries_behind_the_newest_checkpoint_are_what_can_be_computed_anew(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    await log.checkpoint(signer, now=NOW)
    await fill(log, 2, start=5)
    async with tampering(database) as statements:
        statements.append("UPDATE audit_events SET purpose = 'other' WHERE sequence = 6")
    await recompute(database, reader, start=6)
    report = await verify(reader, signer)
    assert report.whole
    # The report says up to where a signature protects the chain.
    assert (report.covered, report.entries) == (5, 7)


async def test_a_checkpoint_of_another_key_is_found(
    log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    await log.checkpoint(CheckpointSigner(ec.generate_private_key(ec.SECP256R1())), now=NOW)
    report = await verify(reader, signer)
    assert kinds(report) == {ProblemKind.CHECKPOINT_INVALID}
    assert report.covered == 0


async def test_a_checkpoint_that_is_missing_between_others_is_found(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    for index in range(3):
        await fill(log, 2, start=2 * index)
        await log.checkpoint(signer, now=NOW)
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_checkpoints WHERE number = 2")
        statements.append("UPDATE audit_checkpoints SET number = 2 WHERE number = 3")
    assert kinds(await verify(reader, signer)) == {
        ProblemKind.CHECKPOINT_INVALID,
        ProblemKind.CHECKPOINT_REMOVED,
    }


async def test_a_log_that_was_cut_with_its_checkpoints_is_found_by_a_copy(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log, 3)
    (first,) = await log.checkpoint(signer, now=NOW)
    await fill(log, 3, start=3)
    (second,) = await log.checkpoint(signer, now=NOW)
    third = (await reader.entries(TENANT))[2]
    async with tampering(database) as statements:
        statements.append("DELETE FROM audit_checkpoints WHERE number = 2")
        statements.append("DELETE FROM audit_events WHERE sequence > 3")
        statements.append(f"UPDATE audit_heads SET sequence = 3, hash = '{third.hash}'")
    assert (await verify(reader, signer, saved=[first.jws])).whole
    assert kinds(await verify(reader, signer, saved=[first.jws, second.jws])) == {
        ProblemKind.CHECKPOINT_REMOVED,
        ProblemKind.TRUNCATED,
    }


async def test_replicas_make_one_checkpoint_in_an_interval(
    log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    hour = timedelta(hours=1)
    await fill(log, 1)
    assert len(await log.checkpoint(signer, now=NOW, at_least=hour)) == 1
    assert await log.checkpoint(signer, now=NOW + 2 * hour, at_least=hour) == ()
    await fill(log, 1, start=1)
    assert await log.checkpoint(signer, now=NOW + hour / 2, at_least=hour) == ()
    assert len(await log.checkpoint(signer, now=NOW + hour, at_least=hour)) == 1
    assert (await verify(reader, signer)).covered == 2


async def test_the_oldest_entry_that_no_checkpoint_covers_has_its_time(
    log: AuditLog, signer: CheckpointSigner
) -> None:
    assert await log.uncovered_since() is None
    await fill(log, 2)
    assert await log.uncovered_since() == NOW
    await log.checkpoint(signer, now=NOW)
    assert await log.uncovered_since() is None
    await fill(log, 2, start=7)
    assert await log.uncovered_since() == NOW + timedelta(seconds=7)


async def test_a_time_stamp_is_added_once(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await fill(log)
    (made,) = await log.checkpoint(signer, now=NOW)
    assert await log.without_timestamp(10) == (made,)
    await log.add_timestamp(made, b"first")
    await log.add_timestamp(made, b"second")
    assert [found.timestamp for found in await reader.checkpoints(TENANT)] == [b"first"]
    assert await log.without_timestamp(10) == ()
    with pytest.raises(StorageUnavailable):
        await database.write(
            lambda connection: connection.execute(text("UPDATE audit_checkpoints SET timestamp = NULL"))
        )
