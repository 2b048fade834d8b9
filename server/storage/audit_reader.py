"""Reads, verifies and exports the audit log, also while it is written. Readers never wait for writers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, select

from server.audit import (
    GENESIS,
    AuditEntry,
    ChainVerifier,
    CheckpointChain,
    CheckpointKeys,
    Head,
    Report,
    SignedCheckpoint,
    checkpoint_line,
    entry_line,
    mark_line,
    pseudonym,
)
from server.storage.database import Repository, reads
from server.storage.tables import audit_checkpoints, audit_events, audit_heads, audit_subjects

_PAGE: Final = 2000
_CHECKPOINTS: Final = 500
_TEXTS: Final = ("tenant", "action", "actor", "role", "address", "purpose", "detail", "hash")
_OPTIONAL: Final = ("check_id", "pseudonym")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EXPORT_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """The entries to read; every field that is set must hold.

    Attributes:
        actions: Entries of one of these actions. Empty for all.
        actor: Entries of this actor's name.
        check_id: Entries about this check, as a UUID in lower case.
        pseudonyms: Entries about the person with these; see ``AuditReader.pseudonyms_of``. Empty for all.
    """

    since: datetime | None = None
    until: datetime | None = None
    actions: tuple[str, ...] = ()
    actor: str | None = None
    check_id: str | None = None
    pseudonyms: tuple[str, ...] = ()

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        """Return the conditions on rows of ``audit_events``."""
        columns = audit_events.c
        if self.since is not None:
            yield columns.time_us >= (self.since - _EPOCH) // _MICROSECOND
        if self.until is not None:
            yield columns.time_us < (self.until - _EPOCH) // _MICROSECOND
        for column, value in (
            (columns.actor, self.actor),
            (columns.check_id, self.check_id),
        ):
            if value is not None:
                yield column == value
        if self.actions:
            yield columns.action.in_(self.actions)
        if self.pseudonyms:
            yield columns.pseudonym.in_(self.pseudonyms)


class AuditReader(Repository):
    """Reads the log. Every method may raise ``StorageUnavailable``."""

    @reads
    def tenants(self, connection: Connection) -> tuple[str, ...]:
        """Return the tenants that have entries, heads or checkpoints, sorted."""
        found = {
            tenant
            for table in (audit_heads, audit_checkpoints, audit_events)
            for tenant in connection.execute(select(table.c.tenant).distinct()).scalars()
        }
        return tuple(sorted(found))

    @reads
    def entries(
        self,
        connection: Connection,
        tenant: str,
        *,
        after: int = 0,
        limit: int = _PAGE,
        chosen: AuditFilter | None = None,
        newest_first: bool = False,
    ) -> tuple[AuditEntry, ...]:
        """Return entries of a tenant in the order of their sequence; omit rows that are not valid entries.

        Args:
            after: Only entries with a sequence above this one or, with ``newest_first``, below it; 0 for all.
            chosen: The conditions on the entries; ``None`` for none.
            newest_first: Whether the order is reversed, with the newest entry first.
        """
        rows = _rows(connection, tenant, after=after, limit=limit, chosen=chosen, newest_first=newest_first)
        return tuple(entry for entry in map(entry_of, rows) if entry is not None)

    async def page(
        self, tenant: str, *, chosen: AuditFilter, subjects: Sequence[bytes], before: int, limit: int
    ) -> tuple[tuple[AuditEntry, ...], int]:
        """Return entries, the newest first, and the sequence before which the next page begins.

        Args:
            subjects: The hashes of the person whose entries are wanted (``server.audit.subject_hashes``);
                empty for all persons.
            before: Only entries with a sequence below this one; 0 for the first page.

        Returns:
            The entries, and ``before`` for the next page; 0 if there is none.
        """
        if subjects:
            known = await self.pseudonyms_of(tenant, subjects)
            if not known:
                return (), 0
            chosen = replace(chosen, pseudonyms=known)
        found = await self.entries(tenant, after=before, limit=limit + 1, chosen=chosen, newest_first=True)
        return found[:limit], found[limit - 1].sequence if len(found) > limit else 0

    @reads
    def head(self, connection: Connection, tenant: str) -> Head | None:
        """Return the head of a chain; ``None`` if there is none."""
        query = select(audit_heads.c.sequence, audit_heads.c.hash).where(audit_heads.c.tenant == tenant)
        row = connection.execute(query).one_or_none()
        return None if row is None else head_of(row)

    @reads
    def checkpoints(
        self, connection: Connection, tenant: str, *, after: int = 0
    ) -> tuple[SignedCheckpoint, ...]:
        """Return the checkpoints of a tenant with a number above ``after``, by their number."""
        query = (
            select(audit_checkpoints)
            .where(audit_checkpoints.c.tenant == tenant, audit_checkpoints.c.number > after)
            .order_by(audit_checkpoints.c.number)
        )
        return tuple(checkpoint_of(row) for row in connection.execute(query).all())

    @reads
    def heads(self, connection: Connection) -> dict[str, Head]:
        """Return the head of every chain by its tenant."""
        return heads_of(connection)

    @reads
    def placed_checkpoints(self, connection: Connection, first: int) -> tuple[SignedCheckpoint, ...]:
        """Return the next checkpoints of all tenants from a position on, at most 500, by their position."""
        return _placed(connection, first)

    @reads
    def checkpoint_at(self, connection: Connection, position: int) -> SignedCheckpoint | None:
        """Return the checkpoint at a position among those of all tenants; ``None`` if there is none."""
        found = _placed(connection, position, limit=1)
        return found[0] if found and found[0].position == position else None

    @reads
    def newest_checkpoint(self, connection: Connection, tenant: str | None) -> SignedCheckpoint | None:
        """Return the newest checkpoint of a tenant; for ``None``, that of all tenants by its position."""
        return newest_checkpoint(connection, tenant)

    async def verify_checkpoints(
        self, keys: CheckpointKeys, *, copies: Mapping[int, str] | None = None
    ) -> CheckpointChain:
        """Verify the chain of the checkpoints of all tenants, also while some are signed.

        Args:
            copies: The SHA-256 (64 hexadecimal digits) of checkpoints that it must have, by their position.
        """
        chain = CheckpointChain(copies=dict(copies or {}))
        while found := await self.placed_checkpoints(chain.position + 1):
            await asyncio.to_thread(chain.extend, found, keys)
        chain.finish()
        return chain

    @reads
    def pseudonyms_of(
        self, connection: Connection, tenant: str, subjects: Sequence[bytes]
    ) -> tuple[str, ...]:
        """Return the pseudonyms of a person in the log; empty if there are none, or they were erased.

        A person gets a new pseudonym when the tenant's memory key is rotated.

        Args:
            subjects: The hashes of the person (``server.audit.subject_hashes``).
        """
        query = select(audit_subjects.c.subject_hash, audit_subjects.c.key).where(
            audit_subjects.c.tenant == tenant, audit_subjects.c.subject_hash.in_(subjects)
        )
        found = connection.execute(query)
        return tuple(sorted(pseudonym(row.key, row.subject_hash).hex() for row in found))

    async def verify(self, tenant: str, *, keys: CheckpointKeys, saved: Iterable[str] = ()) -> Report:
        """Verify the chain of a tenant, also while entries are written.

        Args:
            saved: Copies (JWS) of checkpoints that were kept elsewhere.
        """
        # Entries are read after the checkpoints that cover them, and the head after the entries.
        verifier = ChainVerifier(tenant, checkpoints=await self.checkpoints(tenant), keys=keys, saved=saved)
        for sequence in await self._database.read(_before_the_first, tenant):
            verifier.before_the_first(sequence)
        last = 0
        while True:
            async for row in self._all_rows(tenant, after=last):
                entry = entry_of(row)
                if isinstance(row.sequence, int):
                    last = row.sequence
                if entry is None:
                    verifier.report_unreadable(last)
                else:
                    verifier.verify_entry(entry)
            head = await self.head(tenant)
            if head is None or head.sequence <= last:
                return verifier.finish(head)
            # Entries were appended in the meantime, unless they are missing.
            if not await self._database.read(_rows, tenant, after=last, limit=1):
                return verifier.finish(head)

    async def _all_rows(self, tenant: str, *, after: int) -> AsyncIterator[Row[Any]]:
        while page := await self._database.read(_rows, tenant, after=after, limit=_PAGE):
            for row in page:
                yield row
            if not isinstance(page[-1].sequence, int):
                return
            after = page[-1].sequence


def _rows(
    connection: Connection,
    tenant: str,
    *,
    after: int,
    limit: int,
    chosen: AuditFilter | None = None,
    newest_first: bool = False,
) -> list[Row[Any]]:
    sequence = audit_events.c.sequence
    query = select(audit_events).where(audit_events.c.tenant == tenant)
    if newest_first:
        query = query.order_by(sequence.desc())
        query = query.where(sequence > 0)
        query = query.where(sequence < after) if after else query
    else:
        query = query.where(sequence > after).order_by(sequence)
    if chosen is not None:
        query = query.where(*chosen.conditions())
    return list(connection.execute(query.limit(limit)).all())


def _before_the_first(connection: Connection, tenant: str) -> list[int]:
    """Return sequences below 1, the number of the first entry."""
    columns = audit_events.c
    query = select(columns.sequence).where(columns.tenant == tenant, columns.sequence < 1).limit(_PAGE)
    return list(connection.execute(query.order_by(columns.sequence)).scalars())


def heads_of(connection: Connection) -> dict[str, Head]:
    """Return the head of every chain by its tenant."""
    rows = connection.execute(select(audit_heads)).all()
    return {row.tenant: head_of(row) for row in rows}


def newest_checkpoint(connection: Connection, tenant: str | None) -> SignedCheckpoint | None:
    """Return the newest checkpoint of a tenant; for ``None``, that of all tenants by its position."""
    columns = audit_checkpoints.c
    query = (
        select(audit_checkpoints).where(columns.position.is_not(None)).order_by(columns.position.desc())
        if tenant is None
        else select(audit_checkpoints).where(columns.tenant == tenant).order_by(columns.number.desc())
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else checkpoint_of(row)


def _placed(connection: Connection, first: int, *, limit: int = _CHECKPOINTS) -> tuple[SignedCheckpoint, ...]:
    position = audit_checkpoints.c.position
    query = select(audit_checkpoints).where(position >= first).order_by(position).limit(limit)
    found = (checkpoint_of(row) for row in connection.execute(query).all())
    return tuple(checkpoint for checkpoint in found if checkpoint.position)


def entry_of(row: Row[Any]) -> AuditEntry | None:
    """Return the entry of a row; ``None`` if the row holds values of other types, which SQLite allows."""
    values = dict(row._mapping)
    readable = (
        all(isinstance(values[name], str) for name in _TEXTS)
        and all(isinstance(values[name], str | None) for name in _OPTIONAL)
        and all(isinstance(values[name], int) for name in ("sequence", "time_us"))
    )
    return AuditEntry(**values) if readable else None


def checkpoint_of(row: Row[Any]) -> SignedCheckpoint:
    """Return the checkpoint of a row; a value of another type, which SQLite allows, counts as 0 or empty."""
    return SignedCheckpoint(
        tenant=row.tenant,
        number=_number(row.number),
        sequence=_number(row.sequence),
        jws=row.jws if isinstance(row.jws, str) else "",
        timestamp=row.timestamp,
        position=_number(row.position),
    )


def head_of(row: Row[*tuple[Any, ...]]) -> Head:
    """Return the head of a row, with values of other types as in ``checkpoint_of``."""
    return Head(sequence=_number(row.sequence), hash=row.hash if isinstance(row.hash, str) else "")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


class AuditExport:
    """The export of one tenant. Every method may raise ``StorageUnavailable``."""

    def __init__(self, reader: AuditReader, tenant: str) -> None:
        """Begin with the first entry."""
        self._reader = reader
        self._tenant = tenant
        self._sequence = 0
        self._checkpoint = 0
        self._head: Head | None = None

    async def lines(self, since: datetime | None, *, position: int | None = None) -> AsyncIterator[str]:
        """Yield the lines of a whole export.

        Args:
            since: Entries of this time or later; ``None`` for all.
            position: Checkpoints up to this position; ``None`` for all.
        """
        async for line in self.begin(since):
            yield line
        async for line in self.new(position=position):
            yield line
        if self._head is not None:
            yield mark_line("head", self._tenant, self._head)

    async def begin(self, since: datetime | None) -> AsyncIterator[str]:
        """Find the first entry, and yield the previous one as the start, if there is one."""
        if since is None:
            return
        found = await self._reader.entries(self._tenant, chosen=AuditFilter(since=since), limit=1)
        head = await self._reader.head(self._tenant)
        last = 0 if head is None else head.sequence
        self._sequence = found[0].sequence - 1 if found else last
        before = await self._reader.entries(self._tenant, after=self._sequence - 1, limit=1)
        if self._sequence:
            stated = before[0].hash if before else GENESIS.hex()
            yield mark_line("start", self._tenant, Head(self._sequence, stated))

    async def new(self, *, position: int | None = None) -> AsyncIterator[str]:
        """Yield the further entries up to the head, and the checkpoints that cover these entries only.

        Args:
            position: Checkpoints up to this position; ``None`` for all.
        """
        self._head = head = await self._reader.head(self._tenant)
        last = 0 if head is None else head.sequence
        # Entries behind the head were appended in the meantime; the next round writes them.
        while self._sequence < last:
            page = await self._reader.entries(self._tenant, after=self._sequence, limit=_EXPORT_PAGE)
            for entry in page:
                if entry.sequence <= last:
                    yield entry_line(entry)
                self._sequence = min(entry.sequence, last)
            if not page:
                # They are missing. What follows is exported, and a verification finds the gap.
                self._sequence = last
        for checkpoint in await self._reader.checkpoints(self._tenant, after=self._checkpoint):
            if checkpoint.sequence > last or (position is not None and checkpoint.position > position):
                break
            yield checkpoint_line(checkpoint)
            self._checkpoint = checkpoint.number
