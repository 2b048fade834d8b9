# ruff: noqa: S608 - the statements are those of an attacker, and every value is from these modules
"""What is signed only because the log extends the witness, and what a forged or older log is refused for."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.audit import (
    SERVER_TENANT,
    AuditAction,
    AuditEvent,
    CheckpointKeys,
    CheckpointSigner,
    Head,
    LogChanged,
    ProblemKind,
    SignedCheckpoint,
    digest_of,
)
from server.base.key_validity import PublishedKey
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.audit_witness import AuditWitness
from server.storage.database import Database, open_database
from tests.server.databases import make_tables
from tests.server.storage.audit.chains import NOW, TENANT, event, fill, recompute, tampering

_OTHER = "branch"


async def _signed(log: AuditLog, signer: CheckpointSigner) -> tuple[str, ...]:
    """Makes a log of two tenants with two checkpoints each, and an entry without; returns the witness."""
    for round_ in range(2):
        await fill(log, 3, start=3 * round_)
        await log.append(event(tenant=_OTHER), now=NOW)
        await log.checkpoint(signer, now=NOW + timedelta(minutes=round_))
    await fill(log, 1, start=6)
    return log.witness


async def _edit(database: Database, *statements: str) -> None:
    async with tampering(database) as wanted:
        wanted.extend(statements)


async def _rewrite_without_checkpoints(database: Database, reader: AuditReader) -> None:
    await _edit(
        database,
        f"UPDATE audit_events SET purpose = 'other' WHERE tenant = '{TENANT}' AND sequence = 2",
        f"DELETE FROM audit_events WHERE tenant = '{TENANT}' AND sequence > 5",
        f"UPDATE audit_heads SET sequence = 5 WHERE tenant = '{TENANT}'",
        f"DELETE FROM audit_checkpoints WHERE tenant = '{TENANT}'",
    )
    await recompute(database, reader, start=2)


async def _delete_the_newest(database: Database, reader: AuditReader) -> None:
    (third,) = await reader.entries(TENANT, after=2, limit=1)
    await _edit(
        database,
        "DELETE FROM audit_checkpoints WHERE position > 2",
        f"DELETE FROM audit_events WHERE tenant = '{TENANT}' AND sequence > 3",
        f"UPDATE audit_heads SET sequence = 3, hash = '{third.hash}' WHERE tenant = '{TENANT}'",
    )


async def _remove_a_tenant(database: Database, reader: AuditReader) -> None:
    tables = ("audit_events", "audit_heads", "audit_checkpoints")
    await _edit(database, *(f"DELETE FROM {table} WHERE tenant = '{_OTHER}'" for table in tables))


async def _roll_back(database: Database, reader: AuditReader) -> None:
    await _delete_the_newest(database, reader)
    (first,) = await reader.entries(_OTHER, limit=1)
    await _edit(
        database,
        f"DELETE FROM audit_events WHERE tenant = '{_OTHER}' AND sequence > 1",
        f"UPDATE audit_heads SET sequence = 1, hash = '{first.hash}' WHERE tenant = '{_OTHER}'",
    )


async def _remove_all(database: Database, reader: AuditReader) -> None:
    await _edit(database, *(f"DELETE FROM audit_{name}" for name in ("events", "heads", "checkpoints")))


async def _rewrite_behind_the_checkpoints(database: Database, reader: AuditReader) -> None:
    await _edit(
        database, f"UPDATE audit_events SET purpose = 'other' WHERE tenant = '{TENANT}' AND sequence = 2"
    )
    await recompute(database, reader, start=2)


async def _cut_the_entries(database: Database, reader: AuditReader) -> None:
    (third,) = await reader.entries(TENANT, after=2, limit=1)
    await _edit(
        database,
        f"DELETE FROM audit_events WHERE tenant = '{TENANT}' AND sequence > 3",
        f"UPDATE audit_heads SET sequence = 3, hash = '{third.hash}' WHERE tenant = '{TENANT}'",
    )


async def _alter_the_entry_that_is_not_signed(database: Database, reader: AuditReader) -> None:
    await _edit(
        database, f"UPDATE audit_events SET purpose = 'other' WHERE tenant = '{TENANT}' AND sequence = 7"
    )


async def _remove_the_positions(database: Database, reader: AuditReader) -> None:
    await _edit(database, "UPDATE audit_checkpoints SET position = NULL")


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
_Forgery = Callable[[Database, AuditReader], Awaitable[None]]


async def _stored(reader: AuditReader) -> list[SignedCheckpoint]:
    return [found for tenant in await reader.tenants() for found in await reader.checkpoints(tenant)]


@pytest.mark.parametrize("forgery", _FORGERIES)
@pytest.mark.parametrize("restarted", [True, False])
async def test_a_forged_log_is_not_signed(
    database: Database,
    log: AuditLog,
    reader: AuditReader,
    signer: CheckpointSigner,
    *,
    forgery: _Forgery,
    restarted: bool,
) -> None:
    witnessed = await _signed(log, signer)
    await forgery(database, reader)
    before = await _stored(reader)
    # A running server knows what it signed; one that starts has the witness.
    server = AuditLog(database) if restarted else log
    with pytest.raises(LogChanged):
        await server.checkpoint(
            signer, now=NOW + timedelta(hours=1), witnessed=witnessed if restarted else ()
        )
    assert await _stored(reader) == before
    assert await AuditLog(database).changes(signer.keys, witnessed=witnessed)


@pytest.mark.parametrize("forgery", _FORGERIES)
async def test_a_forged_log_is_signed_again_after_it_was_accepted_and_the_loss_stays_visible(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner, forgery: _Forgery
) -> None:
    witnessed = await _signed(log, signer)
    await forgery(database, reader)
    accepted = AuditEvent(
        tenant=SERVER_TENANT, action=AuditAction.AUDIT_ACCEPTED, actor=event().actor, purpose="restored"
    )
    made = await AuditLog(database).accept(signer, accepted, now=NOW, witnessed=witnessed)
    assert signer.keys.verify(made[0].jws).accepted
    assert made[0].position == 5
    # Neither a server that starts nor one that ran before objects, with or without the newer witness.
    for known, witness in (
        (log, witnessed),
        (AuditLog(database), witnessed),
        (log, [one.jws for one in made]),
    ):
        await fill(log, 1, start=8)
        assert await known.checkpoint(signer, now=NOW, witnessed=witness)
    # A copy that was kept elsewhere, or the log itself, shows what happened for ever.
    assert [
        problem
        for tenant in (TENANT, _OTHER)
        for problem in (await reader.verify(tenant, keys=signer.keys, saved=witnessed)).problems
    ]


async def test_without_a_witness_a_log_without_its_positions_is_not_signed_anew(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await _signed(log, signer)
    await _remove_a_tenant(database, reader)
    await _remove_the_positions(database, reader)
    before = await _stored(reader)
    server = AuditLog(database)
    (problem,) = await server.changes(signer.keys, witnessed=())
    assert (problem.tenant, problem.kind) == (TENANT, ProblemKind.CHECKPOINT_INVALID)
    with pytest.raises(LogChanged):
        await server.checkpoint(signer, now=NOW + timedelta(hours=1))
    assert await _stored(reader) == before
    report = await reader.verify(TENANT, keys=signer.keys)
    assert {problem.kind for problem in report.problems} == {ProblemKind.CHECKPOINT_INVALID}


@pytest.mark.parametrize("value", ["'x'", "X'00'", "2.5"])
@pytest.mark.parametrize(
    "column",
    [f"audit_checkpoints.{name}" for name in ("position", "number", "sequence", "jws")]
    + ["audit_heads.sequence", "audit_heads.hash"],
)
async def test_values_of_other_types_are_problems_and_no_faults(
    tmp_path: Path, signer: CheckpointSigner, column: str, value: str
) -> None:
    """SQLite stores a value of any type in any column."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    await make_tables(url)
    database = open_database(url)
    try:
        log, reader = AuditLog(database), AuditReader(database)
        witnessed = await _signed(log, signer)
        table, name = column.split(".")
        row = f"tenant = '{TENANT}'" if table == "audit_heads" else "position = 4"
        await _edit(database, f"UPDATE {table} SET {name} = {value} WHERE {row}")
        chain = await reader.verify_checkpoints(signer.keys)
        reports = [await reader.verify(tenant, keys=signer.keys) for tenant in await reader.tenants()]
        assert chain.problems or any(report.problems for report in reports)
        # A server looks from the newest checkpoint on, and there only at what is signed.
        with suppress(LogChanged):
            await AuditLog(database).checkpoint(signer, now=NOW + timedelta(hours=1), witnessed=witnessed)
    finally:
        await database.close()


async def test_the_chain_over_all_logs_must_have_the_copies(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await _signed(log, signer)
    copies = {one.position: digest_of(one.jws).hex() for one in await _stored(reader)}
    assert not (await reader.verify_checkpoints(signer.keys, copies=copies)).problems
    await _delete_the_newest(database, reader)
    chain = await reader.verify_checkpoints(signer.keys, copies=copies)
    assert [(one.kind, one.sequence) for one in chain.problems] == [
        (ProblemKind.CHECKPOINT_REMOVED, 3),
        (ProblemKind.CHECKPOINT_REMOVED, 4),
    ]


async def test_a_log_extends_an_older_witness(
    database: Database, log: AuditLog, signer: CheckpointSigner
) -> None:
    witnessed = await _signed(log, signer)
    now = NOW + timedelta(hours=1)
    await log.checkpoint(signer, now=now)
    # The server was killed before it wrote the witness.
    assert await AuditLog(database).checkpoint(signer, now=now, witnessed=witnessed) == ()
    await fill(log, 1, start=7)
    later = AuditLog(database)
    (made,) = await later.checkpoint(signer, now=now, witnessed=witnessed)
    assert (made.position, made.number) == (6, 4)
    assert later.witness[-1] == made.jws
    assert later.position == 6


async def test_replicas_sign_one_chain(
    database: Database, reader: AuditReader, signer: CheckpointSigner
) -> None:
    replicas = [AuditLog(database) for _ in range(3)]
    for round_ in range(4):
        await fill(replicas[0], 1, start=round_)
        await replicas[0].append(event(tenant=_OTHER), now=NOW)
        await asyncio.gather(*(each.checkpoint(signer, now=NOW) for each in replicas))
    for replica in replicas:
        assert await replica.checkpoint(signer, now=NOW) == ()
        assert replica.position == 8
    assert sorted(found.position for found in await _stored(reader)) == list(range(1, 9))
    chain = await reader.verify_checkpoints(signer.keys)
    assert (chain.position, chain.problems) == (8, [])


async def test_a_replica_that_signs_after_the_chain_was_read_raises_no_alarm(
    database: Database, reader: AuditReader, signer: CheckpointSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = AuditLog(database), AuditLog(database)
    await fill(first, 1)
    heads = first._reader.heads

    async def heads_while_another_signs() -> dict[str, Head]:
        found = await heads()
        monkeypatch.setattr(first._reader, "heads", heads)
        await fill(second, 1, start=1)
        assert len(await second.checkpoint(signer, now=NOW)) == 1
        return found

    # Of this log alone: servers of other tests may sign in the same loop.
    monkeypatch.setattr(first._reader, "heads", heads_while_another_signs)
    assert await first.checkpoint(signer, now=NOW) == ()
    assert await first.checkpoint(signer, now=NOW) == ()
    assert first.position == 1
    assert not (await reader.verify_checkpoints(signer.keys)).problems


@pytest.mark.parametrize("position", ["NULL", "5"])
async def test_an_inserted_checkpoint_stops_the_signing(
    database: Database, log: AuditLog, signer: CheckpointSigner, position: str
) -> None:
    witnessed = await _signed(log, signer)
    await _edit(
        database,
        "INSERT INTO audit_checkpoints (tenant, number, sequence, time_us, jws, position) "
        f"VALUES ('{TENANT}', 3, 7, 0, 'a.b.c', {position})",
    )
    for server in (log, AuditLog(database)):
        with pytest.raises(LogChanged):
            await server.checkpoint(signer, now=NOW + timedelta(hours=1), witnessed=witnessed)


@pytest.mark.parametrize("content", ["", "nonsense", "a.b.c"])
async def test_a_witness_that_holds_something_else_is_not_believed(
    log: AuditLog, signer: CheckpointSigner, content: str
) -> None:
    await fill(log, 1)
    with pytest.raises(LogChanged):
        await log.checkpoint(signer, now=NOW, witnessed=[content])


@pytest.mark.parametrize("older", [False, True], ids=["whole", "from a backup"])
async def test_a_log_whose_key_was_lost_is_signed_again_after_it_was_accepted(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner, *, older: bool
) -> None:
    witnessed = await _signed(log, signer)
    if older:
        await _roll_back(database, reader)
    # The key folder is from before the rotation to the key that signed.
    other = CheckpointSigner(ec.generate_private_key(ec.SECP256R1()), place="/keys")
    server = AuditLog(database)
    with pytest.raises(LogChanged, match=rf"{signer._key.thumbprint()}.* missing from /keys"):
        await server.checkpoint(other, now=NOW + timedelta(hours=1), witnessed=witnessed)
    assert await server.changes(other.keys, witnessed=witnessed)
    accepted = AuditEvent(
        tenant=SERVER_TENANT, action=AuditAction.AUDIT_ACCEPTED, actor=event().actor, purpose="key lost"
    )
    made = await server.accept(other, accepted, now=NOW, witnessed=witnessed, position=4)
    assert [one.position for one in made] == [5, 6, 7]
    assert other.keys.verify(made[0].jws).accepted == digest_of(witnessed[-1]).hex()
    await fill(log, 1, start=8)
    assert await AuditLog(database).checkpoint(other, now=NOW, witnessed=[one.jws for one in made])
    # With the key, all is whole but what is lost; without it, what it signed cannot be verified.
    both = CheckpointKeys([PublishedKey(one._key.public_key) for one in (signer, other)])
    chain = await reader.verify_checkpoints(both)
    assert not chain.problems
    assert [(one.first, one.last) for one in chain.lost] == ([(3, 4)] if older else [])
    kinds_of_other = {one.kind for one in (await reader.verify_checkpoints(other.keys)).problems}
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


async def test_the_kind_of_a_removed_checkpoint_is_named(
    database: Database, log: AuditLog, reader: AuditReader, signer: CheckpointSigner
) -> None:
    await _signed(log, signer)
    await _remove_a_tenant(database, reader)
    chain = await reader.verify_checkpoints(signer.keys)
    assert {problem.kind for problem in chain.problems} == {ProblemKind.CHECKPOINT_REMOVED}
