"""Legal holds. As long as a check has one, nothing erases its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, delete, func, insert, select

from server.audit import AuditEvent
from server.domain.evidence_terms import HOLD
from server.domain.state import CLOSED_WITH_RESULT
from server.storage import statements
from server.storage.approvals import ApprovalRequest, PendingApproval, second_person
from server.storage.audit import append
from server.storage.database import Database
from server.storage.errors import HoldNotFound, OnHold
from server.storage.tables import evidence_records, holds, record_terms
from server.storage.uncancelled import uncancelled

__all__ = ["HoldRepository", "StoredHold", "expect_no_hold", "expect_no_hold_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHold:
    """A hold on a check.

    Attributes:
        reference: Its reference, unique for a check.
        reason: Why.
        placed_by: Name of the caller that placed it.
        place_time: When.
    """

    reference: str
    reason: str
    placed_by: str
    place_time: datetime


def expect_no_hold(connection: Connection, check_id: UUID) -> None:
    """Tests that no hold keeps a check, whose row the transaction has locked.

    Raises:
        OnHold: A hold keeps it.
    """
    found = connection.execute(
        select(func.count()).select_from(holds).where(holds.c.check_id == check_id)
    ).scalar_one()
    if found:
        raise OnHold(found)


def expect_no_hold_of(connection: Connection, tenant: str) -> None:
    """Expects that no check of a tenant is on hold.

    Raises:
        OnHold: At least one is.
    """
    number = connection.execute(
        select(func.count()).select_from(holds).where(holds.c.tenant == tenant)
    ).scalar_one()
    if number:
        raise OnHold(number)


class HoldRepository:
    """Places and releases holds. Every method may raise ``StorageUnavailable``."""

    def __init__(self, database: Database) -> None:
        """Initialises the repository over ``database``."""
        self._database = database

    @uncancelled
    async def of_check(self, check_id: UUID) -> tuple[StoredHold, ...]:
        """Returns the holds on a check, oldest first."""
        return await self._database.read(_of_check, check_id)

    @uncancelled
    async def held(self, check_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Returns those of ``check_ids`` that a hold keeps."""
        query = select(holds.c.check_id).where(holds.c.check_id.in_(check_ids))
        return await self._database.read(lambda connection: frozenset(connection.scalars(query)))

    @uncancelled
    async def place(self, check_id: UUID, hold: StoredHold, *, event: AuditEvent) -> StoredHold:
        """Places a hold, and logs it; returns the existing hold of the same reference, if there is one.

        Raises:
            Conflict: The check is open, or erased.
            CheckNotFound: There is no such check.
        """

        def work(connection: Connection) -> StoredHold:
            check = statements.load_in_state(connection, check_id, states=CLOSED_WITH_RESULT, epoch=None)
            for existing in _of_check(connection, check_id):
                if existing.reference == hold.reference:
                    return existing
            first = not _of_check(connection, check_id)
            connection.execute(
                insert(holds).values(
                    check_id=check_id,
                    reference=hold.reference,
                    tenant=check.tenant,
                    reason=hold.reason,
                    placed_by=hold.placed_by,
                    place_time=hold.place_time,
                )
            )
            if first:
                _add_term(connection, check_id)
            append(connection, event, now=hold.place_time)
            return hold

        return await self._database.write(work)

    @uncancelled
    async def release(
        self,
        check_id: UUID,
        reference: str,
        *,
        event: AuditEvent,
        now: datetime,
        approval: ApprovalRequest | None = None,
    ) -> int | PendingApproval:
        """Releases a hold, and logs it.

        Args:
            check_id: The check.
            reference: The reference of the hold.
            event: The event to log.
            now: The time.
            approval: The request, if it needs two people.

        Returns:
            The number of holds that still keep the check, or the request that waits for a second person.

        Raises:
            HoldNotFound: The check has no such hold.
            CheckNotFound: There is no such check.
        """

        def work(connection: Connection) -> int | PendingApproval:
            statements.load_check(connection, check_id, lock=True)
            own = and_(holds.c.check_id == check_id, holds.c.reference == reference)
            if connection.execute(select(holds.c.reference).where(own)).one_or_none() is None:
                raise HoldNotFound(reference)
            if approval is not None:
                pending = second_person(connection, approval, now=now)
                if pending is not None:
                    return pending
            connection.execute(delete(holds).where(own))
            left = len(_of_check(connection, check_id))
            if not left:
                connection.execute(
                    delete(record_terms).where(
                        record_terms.c.check_id == check_id, record_terms.c.term == HOLD
                    )
                )
            append(connection, event, now=now)
            return left

        return await self._database.write(work)


def _of_check(connection: Connection, check_id: UUID) -> tuple[StoredHold, ...]:
    query = select(holds).where(holds.c.check_id == check_id).order_by(holds.c.place_time, holds.c.reference)
    return tuple(
        StoredHold(
            reference=row["reference"],
            reason=row["reason"],
            placed_by=row["placed_by"],
            place_time=row["place_time"],
        )
        for row in connection.execute(query).mappings()
    )


def _add_term(connection: Connection, check_id: UUID) -> None:
    """Makes the record of a check findable as one on hold; a check without a record is not listed anyway."""
    record = connection.execute(
        select(evidence_records.c.tenant, evidence_records.c.decide_time).where(
            evidence_records.c.check_id == check_id
        )
    ).one_or_none()
    if record is not None:
        connection.execute(
            insert(record_terms).values(
                tenant=record.tenant, term=HOLD, decide_time=record.decide_time, check_id=check_id
            )
        )
