"""Writes the audit log: entries, in the transaction that they record, checkpoints, and pseudonyms' keys.

The head of a tenant is locked from an entry to the end of its transaction, so that the entries of several
replicas form one chain, in the order of their commits. ``append`` should therefore be the last statement of a
transaction, and a transaction that appends to several tenants should do so in the order of their names.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from server.audit import (
    GENESIS,
    AuditEntry,
    AuditEvent,
    ChainVerifier,
    Checkpoint,
    CheckpointChain,
    CheckpointInvalid,
    CheckpointKeys,
    CheckpointSigner,
    Head,
    LogChanged,
    NewestCheckpoint,
    Problem,
    ProblemKind,
    SignedCheckpoint,
    digest_of,
    make_entry,
    pseudonym,
)
from server.audit.event import SUBJECT_KEY_BYTES
from server.storage.audit_reader import AuditReader, checkpoint_of, entry_of, heads_of, newest_checkpoint
from server.storage.database import Database, Repository, reads, uncancelled, writes
from server.storage.engine import insert_unless_there
from server.storage.errors import RowTaken, StorageError
from server.storage.records import values_of
from server.storage.tables import audit_checkpoints, audit_events, audit_heads, audit_subjects

COMPARED: Final = "sha256"
"""The detail by which events of the same action are compared."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{64}")
_NAMED: Final = 10
_NOTHING: Final = Head(sequence=0, hash=GENESIS.hex())
# A number that no other lock in the same database uses: "fg-audit" in ASCII.
_SIGNING_LOCK: Final = int.from_bytes(b"fg-audit")

_Due = tuple[str, Head, NewestCheckpoint | None]
"""A tenant, the head that is to be signed, and the tenant's newest checkpoint."""


def append(connection: Connection, event: AuditEvent, *, now: datetime) -> AuditEntry:
    """Append an entry in the transaction that it records.

    Raises:
        SQLAlchemyError: The entry cannot be written; the transaction must fail.
    """
    head = _lock_head(connection, event.tenant)
    return _append(connection, event, head=head, now=now)


def append_if_changed(connection: Connection, event: AuditEvent, *, now: datetime) -> AuditEntry | None:
    """Append an entry unless the newest one of the same action has the same detail ``COMPARED``.

    Replicas that notice the same change write one entry.
    """
    head = _lock_head(connection, event.tenant)
    newest = connection.execute(
        select(audit_events)
        .where(audit_events.c.tenant == event.tenant, audit_events.c.action == event.action.value)
        .order_by(audit_events.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    found = None if newest is None else entry_of(newest)
    if found is not None and found.details.get(COMPARED) == event.detail[COMPARED]:
        return None
    return _append(connection, event, head=head, now=now)


def erase_subject_key(connection: Connection, tenant: str, subject: bytes) -> bool:
    """Destroy the key of a person's pseudonym; return whether there was one.

    Existing entries keep the pseudonym, which nobody can compute from the reference any more. Append the
    entry of the erasure before.

    Args:
        subject: What ``server.audit.subject_hash`` returns.
    """
    statement = delete(audit_subjects).where(
        audit_subjects.c.tenant == tenant, audit_subjects.c.subject_hash == subject
    )
    return connection.execute(statement).rowcount > 0


def has_subject_key(connection: Connection, tenant: str, subjects: Collection[bytes]) -> bool:
    """Return whether a person has a pseudonym; see ``erase_subject_key``."""
    own = exists().where(audit_subjects.c.tenant == tenant, audit_subjects.c.subject_hash.in_(subjects))
    return bool(connection.scalar(select(own)))


class AuditLog(Repository):
    """Appends entries that have no transaction of their own, and makes checkpoints.

    Every method may raise ``StorageUnavailable``; then nothing was written.
    """

    def __init__(self, database: Database, *, failed: Callable[[str], None] = lambda _: None) -> None:
        """Initialise the log over ``database``.

        Args:
            failed: Called with the action of each entry that cannot be appended.
        """
        super().__init__(database)
        self._failed = failed
        self._reader = AuditReader(database)
        self._chain: CheckpointChain | None = None
        self._signing = asyncio.Lock()

    @uncancelled
    async def append(self, event: AuditEvent, *, now: datetime) -> AuditEntry:
        """Append an entry, which is durable when this returns."""
        with self._counted(event):
            return await self._database.write(append, event, now=now)

    @uncancelled
    async def append_all(self, events: Sequence[AuditEvent], *, now: datetime) -> None:
        """Append entries in one transaction."""

        def work(connection: Connection) -> None:
            for event in sorted(events, key=lambda found: found.tenant):
                append(connection, event, now=now)

        with self._counted(*events):
            await self._database.write(work)

    @uncancelled
    async def append_if_changed(self, event: AuditEvent, *, now: datetime) -> AuditEntry | None:
        """Append an entry unless the newest one of the same action has the same detail ``COMPARED``."""
        with self._counted(event):
            return await self._database.write(append_if_changed, event, now=now)

    @property
    def witness(self) -> tuple[str, ...]:
        """The newest checkpoint of each tenant (JWS) that this object knows; the last is the head of all."""
        return () if self._chain is None else self._chain.witness()

    @property
    def position(self) -> int:
        """The position of the newest checkpoint that this object knows; 0 for none."""
        return 0 if self._chain is None else self._chain.position

    async def checkpoint(
        self,
        signer: CheckpointSigner,
        *,
        now: datetime,
        at_least: timedelta = timedelta(),
        witnessed: Sequence[str] = (),
    ) -> tuple[SignedCheckpoint, ...]:
        """Sign a checkpoint of every chain that has entries after its newest checkpoint.

        The log must extend what this object knows from earlier calls, and the witness; and the entries since
        the newest checkpoint of each chain must follow from it.

        Args:
            at_least: The time since the newest checkpoint of a chain until which it gets no further one, so
                that several replicas make as many as one.
            witnessed: What the witness holds, read before this call; empty for none.

        Returns:
            The new checkpoints.

        Raises:
            LogChanged: The log does not extend them, or the witness holds something else than checkpoints of
                known keys. Nothing was signed.
        """
        async with self._signing:
            chain, due, problems = await self._examined(
                signer.keys, witnessed=witnessed, made_before=now - at_least
            )
            if problems:
                why = "; ".join(str(problem) for problem in problems[:_NAMED])
                raise LogChanged(
                    f"{why}. To sign again, put back what is missing, such as the public half of a key, or "
                    "accept the loss: facegate audit accept"
                )
            made = []
            for tenant, head, before in due:
                signed = signer.sign(
                    Checkpoint(
                        tenant=tenant,
                        number=1 if before is None else before.content.number + 1,
                        sequence=head.sequence,
                        hash=head.hash,
                        time=now.astimezone(UTC),
                        previous="" if before is None else digest_of(before.jws).hex(),
                        position=chain.position + 1,
                        before=chain.digest,
                    )
                )
                if not await self._insert(signed, before=chain.digest, now=now):
                    # Another replica signs; the next call begins with its checkpoints.
                    break
                chain.extend([signed], signer.keys)
                made.append(signed)
            self._chain = chain
            return tuple(made)

    async def changes(self, keys: CheckpointKeys, *, witnessed: Sequence[str]) -> tuple[Problem, ...]:
        """Return why ``checkpoint`` would sign nothing; empty if the log extends the witness."""
        return (await self._examined(keys, witnessed=witnessed))[2]

    @uncancelled
    async def accept(
        self,
        signer: CheckpointSigner,
        event: AuditEvent,
        *,
        now: datetime,
        witnessed: Sequence[str],
        position: int = 0,
    ) -> tuple[SignedCheckpoint, ...]:
        """Accept the log as it is, such as a restored backup, and sign a checkpoint of every chain.

        The first of them states the newest checkpoint that was known, and its position follows on that one's.
        What is lost or altered in the log stays visible to every verification.

        Args:
            event: The entry of the acceptance, of ``SERVER_TENANT``.
            witnessed: What the witness holds; it need not be valid.
            position: The position under which the witness has it. The new checkpoints follow on it, too,
                because the witness never goes back.
        """
        witness = CheckpointChain.of_witness(witnessed, signer.keys)
        if position > witness.position:
            # What no known key signed can only be named.
            newest = digest_of(witnessed[-1] if witnessed else "").hex()
            witness = CheckpointChain(position=position, digest=newest)
        made = await self._database.write(_accept, signer, event, witness=witness, now=now)
        self._chain = CheckpointChain.of_witness([signed.jws for signed in made], signer.keys)
        return made

    @uncancelled
    async def _insert(self, signed: SignedCheckpoint, *, before: str, now: datetime) -> bool:
        try:
            return await self._database.write(_insert_next, signed, before=before, now=now)
        except RowTaken as error:
            # Other replicas wait for the lock, so no server inserted it.
            raise LogChanged(f"{signed.tenant}: somebody inserted a checkpoint {signed.number}") from error

    async def _examined(
        self, keys: CheckpointKeys, *, witnessed: Sequence[str], made_before: datetime | None = None
    ) -> tuple[CheckpointChain, list[_Due], tuple[Problem, ...]]:
        """Return the chain of all checkpoints, the logs that are due for another, and what does not fit."""
        chain = await self._extended(keys, witnessed)
        if chain.open_problems:
            return chain, [], tuple(chain.open_problems)
        heads = await self._reader.heads()
        due: list[_Due] = []
        problems: list[Problem] = []
        for tenant in sorted({*heads, *chain.newest}):
            before = chain.newest.get(tenant)
            if before is None:
                row = await self._reader.newest_checkpoint(tenant)
                if row is not None and row.position > chain.position:
                    # Another replica signs; the next call begins with its checkpoints.
                    continue
                if row is not None:
                    problems.append(
                        Problem(
                            tenant=tenant,
                            kind=ProblemKind.CHECKPOINT_INVALID,
                            sequence=0,
                            explanation=_why_unplaced(row, keys),
                        )
                    )
                    continue
            head = heads.get(tenant)
            covered = _NOTHING if before is None else Head(before.content.sequence, before.content.hash)
            if head is None or head.sequence < covered.sequence:
                problems.append(
                    Problem(
                        tenant=tenant,
                        kind=ProblemKind.TRUNCATED,
                        sequence=covered.sequence,
                        explanation=f"entry {covered.sequence} is signed, and the log ends at "
                        f"{0 if head is None else head.sequence}",
                    )
                )
            elif before is not None and head == covered:
                continue
            elif made_before is None or before is None or before.content.time <= made_before:
                found = await self._since(tenant, covered, head, keys)
                problems += found
                if not found and head.sequence:
                    due.append((tenant, head, before))
        return chain, due, tuple(problems)

    async def _extended(self, keys: CheckpointKeys, witnessed: Sequence[str]) -> CheckpointChain:
        """Return the chain up to its newest checkpoint, from where this object or the witness knows it."""
        witness = CheckpointChain.of_witness(witnessed, keys)
        # The witness was read before the database, to which checkpoints are written first.
        chain = (self._chain or witness).copied()
        known = chain.position
        passed = {known: chain.digest}
        if known:
            row = await self._reader.checkpoint_at(known)
            if row is None or digest_of(row.jws).hex() != chain.digest:
                chain.add(ProblemKind.CHECKPOINT_REMOVED, known, f"the log lacks {_described(chain)}")
                # The one in its place may be that by which an operator accepted the log.
                chain.position -= 1
        while rows := await self._reader.placed_checkpoints(chain.position + 1):
            await asyncio.to_thread(chain.extend, rows, keys)
            passed |= {row.position: digest_of(row.jws).hex() for row in rows}
        if known <= witness.position >= chain.accepted_at and passed.get(witness.position) != witness.digest:
            chain.add(
                ProblemKind.CHECKPOINT_REMOVED,
                witness.position,
                f"the log lacks {_described(witness)}, which the witness has",
            )
        # Behind an earlier acceptance, too, what is in the witness now must be valid.
        chain.problems[:0] = chain.open_problems[:0] = witness.problems
        return chain

    async def _since(
        self, tenant: str, covered: Head, head: Head, keys: CheckpointKeys
    ) -> tuple[Problem, ...]:
        """Return what does not fit in the entries from the last signed one to the head."""
        after = covered.sequence
        verifier = ChainVerifier(tenant, checkpoints=(), keys=keys, start=covered if after else None)
        if after:
            signed = await self._reader.entries(tenant, after=after - 1, limit=1)
            if not signed or (signed[0].sequence, signed[0].hash) != (after, covered.hash):
                return (
                    Problem(
                        tenant=tenant,
                        kind=ProblemKind.REWRITTEN,
                        sequence=after,
                        explanation="its newest checkpoint states another hash for this entry",
                    ),
                )
        while after < head.sequence and (page := await self._reader.entries(tenant, after=after)):
            after = page[-1].sequence
            await asyncio.to_thread(
                _verify_all, verifier, [entry for entry in page if entry.sequence <= head.sequence]
            )
        return verifier.finish(head).problems

    @reads
    def count(self, connection: Connection) -> int:
        """Return the number of entries of all tenants, as the heads state it."""
        query = select(func.coalesce(func.sum(audit_heads.c.sequence), 0))
        return int(connection.execute(query).scalar_one())

    @reads
    def uncovered_since(self, connection: Connection) -> datetime | None:
        """Return the time of the oldest entry that no checkpoint covers; ``None`` if all are covered."""
        covered = (
            select(func.coalesce(func.max(audit_checkpoints.c.sequence), 0))
            .where(audit_checkpoints.c.tenant == audit_heads.c.tenant)
            .scalar_subquery()
        )
        behind = select(audit_heads.c.tenant, covered.label("covered")).where(
            audit_heads.c.sequence > covered
        )
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

    @reads
    def without_timestamp(self, connection: Connection, limit: int) -> tuple[SignedCheckpoint, ...]:
        """Return the newest checkpoint of each tenant if it has no time stamp, at most ``limit``."""
        newest = (
            select(audit_checkpoints.c.tenant, func.max(audit_checkpoints.c.number).label("number"))
            .group_by(audit_checkpoints.c.tenant)
            .subquery()
        )
        query = (
            select(audit_checkpoints)
            .join(
                newest,
                (audit_checkpoints.c.tenant == newest.c.tenant)
                & (audit_checkpoints.c.number == newest.c.number),
            )
            .where(audit_checkpoints.c.timestamp.is_(None))
            .order_by(audit_checkpoints.c.tenant)
            .limit(limit)
        )
        return tuple(checkpoint_of(row) for row in connection.execute(query).all())

    @writes
    def add_timestamp(self, connection: Connection, checkpoint: SignedCheckpoint, timestamp: bytes) -> None:
        """Add the time stamp of a checkpoint, unless another replica has added one."""
        statement = (
            update(audit_checkpoints)
            .where(
                audit_checkpoints.c.tenant == checkpoint.tenant,
                audit_checkpoints.c.number == checkpoint.number,
                audit_checkpoints.c.timestamp.is_(None),
            )
            .values(timestamp=timestamp)
        )
        connection.execute(statement)

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
    connection.execute(insert(audit_events).values(values_of(entry)))
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
    """Return the pseudonym of the newest earlier entry about the same check.

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


def _lock_positions(connection: Connection) -> None:
    """Keep other replicas from signing until the end of the transaction; on SQLite, any writer does."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SIGNING_LOCK)))


def _insert_next(connection: Connection, signed: SignedCheckpoint, *, before: str, now: datetime) -> bool:
    """Insert a checkpoint if it follows the newest, whose digest is ``before``; return whether it does."""
    _lock_positions(connection)
    newest = newest_checkpoint(connection, None)
    if (0 if newest is None else newest.position) != signed.position - 1 or (
        newest is not None and digest_of(newest.jws).hex() != before
    ):
        return False
    _insert_checkpoint(connection, signed, now)
    return True


def _insert_checkpoint(connection: Connection, signed: SignedCheckpoint, now: datetime) -> None:
    connection.execute(
        insert(audit_checkpoints).values(
            tenant=signed.tenant,
            number=signed.number,
            sequence=signed.sequence,
            time_us=(now - _EPOCH) // _MICROSECOND,
            jws=signed.jws,
            position=signed.position,
        )
    )


def _why_unplaced(row: SignedCheckpoint, keys: CheckpointKeys) -> str:
    """Return why the chain lacks the newest checkpoint of a tenant."""
    try:
        signed = keys.verify(row.jws)
    except CheckpointInvalid as error:
        return str(error)
    return f"the row of checkpoint {row.number} lacks its position {signed.position}, which is signed"


def _accept(
    connection: Connection,
    signer: CheckpointSigner,
    event: AuditEvent,
    *,
    witness: CheckpointChain,
    now: datetime,
) -> tuple[SignedCheckpoint, ...]:
    _lock_positions(connection)
    newest = newest_checkpoint(connection, None)
    position, before = (0, "") if newest is None else (newest.position, digest_of(newest.jws).hex())
    accepted = before
    if witness.position and witness.position >= position:
        position, accepted = witness.position, witness.digest
    append(connection, event, now=now)
    made: list[SignedCheckpoint] = []
    heads = heads_of(connection)
    # The entry of the acceptance makes sure that there is a head of its tenant, which comes first.
    for tenant in sorted(heads, key=lambda name: (name != event.tenant, name)):
        last = newest_checkpoint(connection, tenant)
        position += 1
        signed = signer.sign(
            Checkpoint(
                tenant=tenant,
                number=1 if last is None else last.number + 1,
                sequence=heads[tenant].sequence,
                hash=heads[tenant].hash,
                time=now.astimezone(UTC),
                previous="" if last is None else digest_of(last.jws).hex(),
                position=position,
                before=before,
                accepted="" if made else accepted,
            )
        )
        _insert_checkpoint(connection, signed, now)
        before = digest_of(signed.jws).hex()
        made.append(signed)
    return tuple(made)


def _verify_all(verifier: ChainVerifier, entries: Sequence[AuditEntry]) -> None:
    for entry in entries:
        verifier.verify_entry(entry)


def _described(chain: CheckpointChain) -> str:
    """Return the newest checkpoint of a chain for people."""
    for newest in chain.newest.values():
        found = newest.content
        if found.position == chain.position:
            return (
                f"checkpoint {found.position} of {found.time:%Y-%m-%dT%H:%M:%SZ}, which covers the entries "
                f"of {found.tenant} up to {found.sequence}"
            )
    return f"checkpoint {chain.position}"
