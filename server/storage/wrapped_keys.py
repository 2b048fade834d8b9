"""The wrapped data keys of all sealed records, to rewrap them after a rotation. Objects are never touched.

Every place in which a row holds a wrapped key is in ``PLACES``; a test compares it with the tables.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, literal, select, tuple_, update
from sqlalchemy import Table as SqlTable

from server.domain.terms import SealedKind
from server.keyring.sealing import Context, SealBroken, WrappingKeys, WrappingKeyUnknown, rewrap
from server.storage.database import Repository, reads, writes
from server.storage.tables import checks, evidence, evidence_records, scan_memories

_FIRST: Final[ColumnElement[Any]] = literal(1)
_BATCH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPlace:
    """A table whose rows hold a wrapped data key.

    Attributes:
        name: Its name, for progress.
    """

    name: str
    table: SqlTable
    wrapped_key: Column[Any]
    key_id: Column[Any]
    kind: ColumnElement[Any]
    version: ColumnElement[Any] = _FIRST
    tenant: Column[Any] = checks.c.tenant


PLACES: Final = (
    SealedPlace(
        name="templates",
        table=checks,
        wrapped_key=checks.c.template_wrapped_key,
        key_id=checks.c.template_key_id,
        kind=literal(SealedKind.PORTRAIT_TEMPLATE.value),
    ),
    SealedPlace(
        name="images",
        table=evidence,
        wrapped_key=evidence.c.wrapped_key,
        key_id=evidence.c.key_id,
        kind=evidence.c.kind,
    ),
    SealedPlace(
        name="records",
        table=evidence_records,
        wrapped_key=evidence_records.c.wrapped_key,
        key_id=evidence_records.c.key_id,
        kind=literal(SealedKind.EVIDENCE_RECORD.value),
        version=evidence_records.c.version,
    ),
    SealedPlace(
        name="scan memories",
        table=scan_memories,
        wrapped_key=scan_memories.c.wrapped_key,
        key_id=scan_memories.c.key_id,
        kind=literal(SealedKind.SCAN_MEMORY.value),
        # Of a sandbox check, the scope of the tenant's sandbox (server.base.sandbox.memory_scope).
        tenant=scan_memories.c.tenant,
    ),
)
"""Every place, in the order of progress."""


@dataclass(frozen=True, slots=True)
class RewrappedBatch:
    """The result of one batch.

    Attributes:
        changed: Rows whose data key was rewrapped.
        lost: Rows whose data key cannot be opened.
        last: The primary key of the last row, for the next batch; None after the last batch.
    """

    rows: int
    changed: int
    lost: int
    last: tuple[Any, ...] | None


def keys_in_use(connection: Connection) -> frozenset[str]:
    """Return the identifiers of the keys that wrap at least one data key."""
    return frozenset(key_id for place in _counts(connection).values() for key_id in place)


def keys_needed(connection: Connection, *, but_of: Collection[str]) -> frozenset[str]:
    """Return the identifiers of the keys that wrap a data key of a check.

    Args:
        but_of: The tenants whose checks are left out.
    """
    return frozenset(
        key_id
        for place in PLACES
        for key_id in connection.scalars(
            select(place.key_id)
            .select_from(
                checks
                if place.table is checks
                else place.table.join(checks, checks.c.check_id == place.table.c.check_id)
            )
            .where(place.key_id.is_not(None), checks.c.tenant.not_in(but_of))
            .distinct()
        )
    )


class WrappedKeyRepository(Repository):
    """Reads and replaces wrapped data keys. Every method may raise ``StorageUnavailable``."""

    @reads
    def count(self, connection: Connection) -> Mapping[str, Mapping[str, int]]:
        """Return the number of data keys by place and by the identifier of the wrapping key."""
        return _counts(connection)

    @writes
    def rewrap_batch(
        self,
        connection: Connection,
        place: SealedPlace,
        wrapping_keys: WrappingKeys,
        *,
        after: tuple[Any, ...] | None,
        limit: int,
    ) -> RewrappedBatch:
        """Wrap the data keys of a batch of rows under the keys that wrap now, in one transaction.

        Args:
            after: The primary key of the last row of the batch before; None for the first batch.
        """
        keys = tuple(place.table.primary_key.columns)
        found = connection.execute(_batch(place, after=after, limit=limit)).mappings().all()
        changed = lost = 0
        for row in found:
            context = Context(
                tenant=row["sealed_tenant"],
                check_id=row["sealed_check_id"],
                kind=row["sealed_kind"],
                version=row["sealed_version"],
            )
            key_id = row["sealed_key_id"]
            if key_id == wrapping_keys.key_id_for(context.tenant):
                continue
            try:
                new = rewrap(
                    row["sealed_wrapped_key"], key_id=key_id, wrapping_keys=wrapping_keys, aad=context
                )
            except (SealBroken, WrappingKeyUnknown):
                lost += 1
                continue
            of_row = and_(*(key == row[key.name] for key in keys))
            values = dict(zip((place.wrapped_key.name, place.key_id.name), new, strict=True))
            connection.execute(update(place.table).where(of_row).values(values))
            changed += 1
        last = tuple(found[-1][key.name] for key in keys) if len(found) == limit else None
        return RewrappedBatch(rows=len(found), changed=changed, lost=lost, last=last)

    async def rewrap(
        self, place: SealedPlace, wrapping_keys: WrappingKeys, *, limit: int = _BATCH
    ) -> AsyncIterator[RewrappedBatch]:
        """Rewrap all data keys of a place, batch by batch. It can be stopped and repeated."""
        after = None
        while True:
            batch = await self.rewrap_batch(place, wrapping_keys, after=after, limit=limit)
            yield batch
            if (after := batch.last) is None:
                return


def _counts(connection: Connection) -> Mapping[str, Mapping[str, int]]:
    return {
        place.name: {
            row.key_id: row.number
            for row in connection.execute(
                select(place.key_id.label("key_id"), func.count().label("number"))
                .where(place.key_id.is_not(None))
                .group_by(place.key_id)
            )
        }
        for place in PLACES
    }


def _batch(place: SealedPlace, *, after: tuple[Any, ...] | None, limit: int) -> Select[Any]:
    table = place.table
    keys = tuple(table.primary_key.columns)
    check_id: Column[UUID] = table.c.check_id
    query = select(
        *keys,
        check_id.label("sealed_check_id"),
        place.tenant.label("sealed_tenant"),
        place.wrapped_key.label("sealed_wrapped_key"),
        place.key_id.label("sealed_key_id"),
        place.kind.label("sealed_kind"),
        place.version.label("sealed_version"),
    ).where(place.wrapped_key.is_not(None))
    if table is not checks:
        query = query.join(checks, checks.c.check_id == check_id)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*(literal(value) for value in after)))
    return query.order_by(*keys).limit(limit).with_for_update(of=table)
