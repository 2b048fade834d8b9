"""Legal holds. As long as a check has one, nothing erases its evidence."""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from server.audit import AuditEvent
from server.domain.terms import CLOSED_WITH_RESULT, HOLD
from server.storage.approvals import ApprovalRequest, PendingApproval, second_person
from server.storage.audit import append
from server.storage.check_rows import load_check, load_in_state
from server.storage.database import Repository, find_all, reads, writes
from server.storage.errors import HoldNotFound, OnHold
from server.storage.records import values_of
from server.storage.tables import evidence_records, holds, record_terms


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHold:
    """A hold on a check.

    Attributes:
        reference: Its reference, unique for a check.
        placed_by: Name of the caller that placed it.
    """

    reference: str
    reason: str
    placed_by: str
    place_time: datetime


def expect_no_hold(connection: Connection, check_id: UUID) -> None:
    """Test that no hold keeps a check, whose row the transaction has locked.

    Raises:
        OnHold: A hold keeps it.
    """
    _expect_none(connection, holds.c.check_id == check_id)


def expect_no_hold_of(connection: Connection, tenant: str) -> None:
    """Expect that no check of a tenant is on hold.

    Raises:
        OnHold: At least one is.
    """
    _expect_none(connection, holds.c.tenant == tenant)


def _expect_none(connection: Connection, chosen: ColumnElement[bool]) -> None:
    found = connection.scalar(select(func.count()).select_from(holds).where(chosen))
    if found:
        raise OnHold(found)


class HoldRepository(Repository):
    """Places and releases holds."""

    @reads
    def of_check(self, connection: Connection, check_id: UUID) -> tuple[StoredHold, ...]:
        """Return the holds on a check, oldest first."""
        return _of_check(connection, check_id)

    @writes
    def place(
        self, connection: Connection, check_id: UUID, hold: StoredHold, *, event: AuditEvent
    ) -> StoredHold:
        """Place a hold, and log it; return the existing hold of the same reference, if there is one.

        Raises:
            Conflict: The check is open, or erased.
            CheckNotFound: There is no such check.
        """
        check = load_in_state(connection, check_id, states=CLOSED_WITH_RESULT)
        earlier = _of_check(connection, check_id)
        for existing in earlier:
            if existing.reference == hold.reference:
                return existing
        connection.execute(
            insert(holds).values(values_of(hold) | {"check_id": check_id, "tenant": check.tenant})
        )
        if not earlier:
            _add_term(connection, check_id)
        append(connection, event, now=hold.place_time)
        return hold

    @writes
    def release(
        self,
        connection: Connection,
        check_id: UUID,
        reference: str,
        *,
        event: AuditEvent,
        now: datetime,
        approval: ApprovalRequest | None = None,
    ) -> int | PendingApproval:
        """Release a hold, and log it.

        Args:
            approval: The request, if it needs two people.

        Returns:
            The number of holds that still keep the check, or the request that waits for a second person.

        Raises:
            HoldNotFound: The check has no such hold.
            CheckNotFound: There is no such check.
        """
        load_check(connection, check_id, lock=True)
        own = and_(holds.c.check_id == check_id, holds.c.reference == reference)
        if connection.execute(select(holds.c.reference).where(own)).one_or_none() is None:
            raise HoldNotFound
        if approval is not None:
            pending = second_person(connection, approval, now=now)
            if pending is not None:
                return pending
        connection.execute(delete(holds).where(own))
        left = len(_of_check(connection, check_id))
        if not left:
            connection.execute(
                delete(record_terms).where(record_terms.c.check_id == check_id, record_terms.c.term == HOLD)
            )
        append(connection, event, now=now)
        return left


def _of_check(connection: Connection, check_id: UUID) -> tuple[StoredHold, ...]:
    query = (
        select(*(holds.c[each.name] for each in fields(StoredHold)))
        .where(holds.c.check_id == check_id)
        .order_by(holds.c.place_time, holds.c.reference)
    )
    return find_all(connection, query, StoredHold)


def _add_term(connection: Connection, check_id: UUID) -> None:
    """Make the record of a check findable as one on hold; a check without a record is not listed anyway."""
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
