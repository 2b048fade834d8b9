"""Writes the audit log: entries, in the transaction that they record, checkpoints, and pseudonyms' keys.

The head of a tenant is locked from an entry to the end of its transaction, so that the entries of several
replicas form one chain, in the order of their commits. ``append`` should therefore be the last statement of a
transaction, and a transaction that appends to several tenants should do so in the order of their names.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from server.audit import (
    GENESIS,
    AuditEntry,
    AuditEvent,
    Checkpoint,
    CheckpointSigner,
    Head,
    SignedCheckpoint,
    digest_of,
    make_entry,
    pseudonym,
)
from server.audit.pseudonym import SUBJECT_KEY_BYTES
from server.storage.audit_rows import checkpoint_of, entry_of, entry_row
from server.storage.database import Database
from server.storage.engine import insert_unless_there
from server.storage.errors import StorageError
from server.storage.tables import audit_checkpoints, audit_events, audit_heads, audit_subjects
from server.storage.uncancelled import uncancelled

__all__ = ["AuditLog", "append", "append_if_changed", "erase_subject_key"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{64}")


def append(connection: Connection, event: AuditEvent, *, now: datetime) -> AuditEntry:
    """Appends an entry in the transaction that it records.

    Args:
        connection: The connection of the transaction.
        event: The event.
        now: The time.

    Raises:
        SQLAlchemyError: The entry cannot be written; the transaction must fail.
    """
    head = _lock_head(connection, event.tenant)
    return _append(connection, event, head=head, now=now)


def append_if_changed(
    connection: Connection, event: AuditEvent, *, now: datetime, by: str
) -> AuditEntry | None:
    """Appends an entry unless the newest one of the same action has the same detail ``by``.

    Replicas that notice the same change write one entry.

    Args:
        connection: The connection of the transaction.
        event: The event; ``by`` is among its details.
        now: The time.
        by: The name of the detail that is compared, such as ``"sha256"``.
    """
    head = _lock_head(connection, event.tenant)
    newest = connection.execute(
        select(audit_events)
        .where(audit_events.c.tenant == event.tenant, audit_events.c.action == event.action.value)
        .order_by(audit_events.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    found = None if newest is None else entry_of(newest)
    if found is not None and found.details.get(by) == event.detail[by]:
        return None
    return _append(connection, event, head=head, now=now)


def erase_subject_key(connection: Connection, tenant: str, subject: bytes) -> bool:
    """Destroys the key of a person's pseudonym; returns whether there was one.

    Existing entries keep the pseudonym, which nobody can compute from the reference any more. Append the
    entry of the erasure before.

    Args:
        connection: The connection of the transaction.
        tenant: The tenant.
        subject: What ``server.audit.subject_hash`` returns.
    """
    statement = delete(audit_subjects).where(
        audit_subjects.c.tenant == tenant, audit_subjects.c.subject_hash == subject
    )
    return connection.execute(statement).rowcount > 0


class AuditLog:
    """Appends entries that have no transaction of their own, and makes checkpoints.

    Every method may raise ``StorageUnavailable``; then nothing was written.
    """

    def __init__(self, database: Database, *, failed: Callable[[str], None] = lambda _: None) -> None:
        """Initialises the log over ``database``.

        Args:
            database: The database.
            failed: Called with the action of each entry that cannot be appended.
        """
        self._database = database
        self._failed = failed

    @uncancelled
    async def append(self, event: AuditEvent, *, now: datetime) -> AuditEntry:
        """Appends an entry, which is durable when this returns."""
        with self._counted(event):
            return await self._database.write(append, event, now=now)

    @uncancelled
    async def append_all(self, events: Sequence[AuditEvent], *, now: datetime) -> None:
        """Appends entries in one transaction."""

        def work(connection: Connection) -> None:
            for event in sorted(events, key=lambda found: found.tenant):
                append(connection, event, now=now)

        with self._counted(*events):
            await self._database.write(work)

    @uncancelled
    async def append_if_changed(self, event: AuditEvent, *, now: datetime, by: str) -> AuditEntry | None:
        """Appends an entry unless the newest one of the same action has the same detail ``by``."""
        with self._counted(event):
            return await self._database.write(append_if_changed, event, now=now, by=by)

    @uncancelled
    async def checkpoint(
        self, signer: CheckpointSigner, *, now: datetime, at_least: timedelta = timedelta()
    ) -> tuple[SignedCheckpoint, ...]:
        """Signs a checkpoint of every chain that has entries after its newest checkpoint.

        Args:
            signer: The key that signs.
            now: The time.
            at_least: The time since the newest checkpoint of a chain until which it gets no further one, so
                that several replicas make as many as one.

        Returns:
            The new checkpoints.
        """
        made = []
        for tenant in await self._database.read(_tenants):
            new = await self._database.write(
                _checkpoint, tenant, signer=signer, now=now, made_before=now - at_least
            )
            if new is not None:
                made.append(new)
        return tuple(made)

    @uncancelled
    async def count(self) -> int:
        """Returns the number of entries of all tenants, as the heads state it."""
        query = select(func.coalesce(func.sum(audit_heads.c.sequence), 0))
        return int(await self._database.read(lambda connection: connection.execute(query).scalar_one()))

    @uncancelled
    async def uncovered_since(self) -> datetime | None:
        """Returns the time of the oldest entry that no checkpoint covers; ``None`` if all are covered."""
        return await self._database.read(_uncovered_since)

    @uncancelled
    async def without_timestamp(self, limit: int) -> tuple[SignedCheckpoint, ...]:
        """Returns the newest checkpoint of each tenant if it has no time stamp, at most ``limit``."""
        return await self._database.read(_without_timestamp, limit)

    @uncancelled
    async def add_timestamp(self, checkpoint: SignedCheckpoint, timestamp: bytes) -> None:
        """Adds the time stamp of a checkpoint, unless another replica has added one."""
        statement = (
            update(audit_checkpoints)
            .where(
                audit_checkpoints.c.tenant == checkpoint.tenant,
                audit_checkpoints.c.number == checkpoint.number,
                audit_checkpoints.c.timestamp.is_(None),
            )
            .values(timestamp=timestamp)
        )
        await self._database.write(lambda connection: connection.execute(statement).rowcount)

    @contextmanager
    def _counted(self, *events: AuditEvent) -> Iterator[None]:
        try:
            yield
        except StorageError:
            for event in events:
                self._failed(event.action.value)
            raise


def _lock_head(connection: Connection, tenant: str) -> Head:
    query = (
        select(audit_heads.c.sequence, audit_heads.c.hash)
        .where(audit_heads.c.tenant == tenant)
        .with_for_update()
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        insert_unless_there(connection, audit_heads, {"tenant": tenant, "sequence": 0, "hash": GENESIS.hex()})
        row = connection.execute(query).one()
    return Head(sequence=row.sequence, hash=row.hash)


def _append(connection: Connection, event: AuditEvent, *, head: Head, now: datetime) -> AuditEntry:
    entry = make_entry(
        event,
        sequence=head.sequence + 1,
        previous=bytes.fromhex(head.hash),
        pseudonym=_pseudonym_of_check(connection, event)
        if event.subject is None
        else _pseudonym(connection, event.tenant, event.subject),
        now=now,
    )
    connection.execute(insert(audit_events).values(entry_row(entry)))
    connection.execute(
        update(audit_heads)
        .where(audit_heads.c.tenant == event.tenant)
        .values(sequence=entry.sequence, hash=entry.hash)
    )
    return entry


def _pseudonym(connection: Connection, tenant: str, subject: bytes) -> bytes:
    query = select(audit_subjects.c.key).where(
        audit_subjects.c.tenant == tenant, audit_subjects.c.subject_hash == subject
    )
    key = connection.execute(query).scalar_one_or_none()
    if key is None:
        # The lock of the head keeps other writers of the tenant out.
        key = secrets.token_bytes(SUBJECT_KEY_BYTES)
        connection.execute(insert(audit_subjects).values(tenant=tenant, subject_hash=subject, key=key))
    return pseudonym(key, subject)


def _pseudonym_of_check(connection: Connection, event: AuditEvent) -> bytes | None:
    """Returns the pseudonym of the newest earlier entry about the same check.

    Retention and counts of repeats know the check but not its subject, which is sealed.
    """
    if event.check_id is None:
        return None
    query = (
        select(audit_events.c.pseudonym)
        .where(
            audit_events.c.tenant == event.tenant,
            audit_events.c.check_id == str(event.check_id),
            audit_events.c.pseudonym.is_not(None),
        )
        .order_by(audit_events.c.sequence.desc())
        .limit(1)
    )
    found = connection.execute(query).scalar_one_or_none()
    # An entry that somebody altered must not keep others from being written.
    return bytes.fromhex(found) if found and _PSEUDONYM.fullmatch(found) else None


def _tenants(connection: Connection) -> tuple[str, ...]:
    return tuple(connection.execute(select(audit_heads.c.tenant).order_by(audit_heads.c.tenant)).scalars())


def _checkpoint(
    connection: Connection, tenant: str, *, signer: CheckpointSigner, now: datetime, made_before: datetime
) -> SignedCheckpoint | None:
    head = _lock_head(connection, tenant)
    row = connection.execute(
        select(audit_checkpoints)
        .where(audit_checkpoints.c.tenant == tenant)
        .order_by(audit_checkpoints.c.number.desc())
        .limit(1)
    ).one_or_none()
    if head.sequence == (0 if row is None else row.sequence):
        return None
    if row is not None and row.time_us > (made_before - _EPOCH) // _MICROSECOND:
        return None
    signed = signer.sign(
        Checkpoint(
            tenant=tenant,
            number=1 if row is None else row.number + 1,
            sequence=head.sequence,
            hash=head.hash,
            time=now.astimezone(UTC),
            previous="" if row is None else digest_of(row.jws).hex(),
        )
    )
    connection.execute(
        insert(audit_checkpoints).values(
            tenant=tenant,
            number=signed.number,
            sequence=signed.sequence,
            time_us=(now - _EPOCH) // _MICROSECOND,
            jws=signed.jws,
        )
    )
    return signed


def _uncovered_since(connection: Connection) -> datetime | None:
    covered = (
        select(func.coalesce(func.max(audit_checkpoints.c.sequence), 0))
        .where(audit_checkpoints.c.tenant == audit_heads.c.tenant)
        .scalar_subquery()
    )
    behind = select(audit_heads.c.tenant, covered.label("covered")).where(audit_heads.c.sequence > covered)
    times = [
        connection.execute(
            select(audit_events.c.time_us).where(
                audit_events.c.tenant == tenant, audit_events.c.sequence == sequence + 1
            )
        ).scalar_one_or_none()
        for tenant, sequence in connection.execute(behind).all()
    ]
    found = [time for time in times if isinstance(time, int)]
    return _EPOCH + min(found) * _MICROSECOND if found else None


def _without_timestamp(connection: Connection, limit: int) -> tuple[SignedCheckpoint, ...]:
    newest = (
        select(audit_checkpoints.c.tenant, func.max(audit_checkpoints.c.number).label("number"))
        .group_by(audit_checkpoints.c.tenant)
        .subquery()
    )
    query = (
        select(audit_checkpoints)
        .join(
            newest,
            (audit_checkpoints.c.tenant == newest.c.tenant) & (audit_checkpoints.c.number == newest.c.number),
        )
        .where(audit_checkpoints.c.timestamp.is_(None))
        .order_by(audit_checkpoints.c.tenant)
        .limit(limit)
    )
    return tuple(checkpoint_of(row) for row in connection.execute(query).all())
