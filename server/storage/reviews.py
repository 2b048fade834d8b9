"""The reviews of decided checks. A step is stored only if the review has not changed since it was read."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from server.audit import Actor, AuditAction, AuditEvent
from server.domain.events import EventKind
from server.domain.reviews import Review, ReviewCause, ReviewState
from server.domain.terms import CheckStatus
from server.storage.audit import append
from server.storage.check_rows import find_check, newer
from server.storage.database import Database, Repository, find_all, find_one, reads, writes
from server.storage.events import NO_WEBHOOKS, Outbox
from server.storage.records import Place, values_of
from server.storage.tables import checks, policies, reviews

_DECISION = Actor(name="decision", role="server")


@dataclass(frozen=True, slots=True)
class StoredReview:
    """A review, with facts of its check.

    Attributes:
        policy: Name of the check's policy.
        status: The machine's verdict; None if somebody made the column unreadable.
    """

    review: Review
    policy: str
    status: CheckStatus | None

    @property
    def place(self) -> Place:
        """Its place in the order of lists, oldest first."""
        return Place(self.review.create_time, self.review.check_id)


@dataclass(frozen=True, slots=True)
class ReviewBacklog:
    """The reviews that nobody has decided yet.

    Attributes:
        open: The number of those that are not over.
        oldest: When the oldest of them began; None without any.
        overdue: The number of those whose deadline has passed and is not logged yet.
    """

    open: int
    oldest: datetime | None
    overdue: int


def add_review(connection: Connection, review: Review) -> None:
    """Insert the review of a check that is decided in this transaction, and log it."""
    connection.execute(insert(reviews).values(values_of(review)))
    event = AuditEvent(
        tenant=review.tenant,
        action=AuditAction.REVIEW_OPENED,
        actor=_DECISION,
        check_id=review.check_id,
        detail={"causes": ",".join(review.causes), **({"sandbox": "true"} if review.sandbox else {})},
    )
    append(connection, event, now=review.create_time)


def remove_review(connection: Connection, check_id: UUID) -> None:
    """Delete the review of a check, if it has one."""
    connection.execute(delete(reviews).where(reviews.c.check_id == check_id))


class ReviewRepository(Repository):
    """Reads and changes reviews. The decision of a check makes them, and its erasure removes them."""

    def __init__(self, database: Database, outbox: Outbox = NO_WEBHOOKS) -> None:
        """Initialise the repository over ``database``; what is decided goes to ``outbox``."""
        super().__init__(database)
        self._outbox = outbox

    @reads
    def find(self, connection: Connection, check_id: UUID, tenant: str) -> StoredReview | None:
        """Return the review of a tenant's check; None if there is none."""
        query = _query().where(reviews.c.check_id == check_id, reviews.c.tenant == tenant)
        return find_one(connection, query, _stored)

    @reads
    def list(
        self,
        connection: Connection,
        tenant: str,
        *,
        sandbox: bool,
        state: ReviewState | None,
        cause: ReviewCause | None,
        now: datetime,
        after: Place | None,
        limit: int,
    ) -> tuple[StoredReview, ...]:
        """Return a page of reviews, oldest first.

        Args:
            sandbox: Whether those of sandbox checks are listed, in place of real ones.
            state: The state; None for those that are not over.
            cause: One of the causes; None for all.
            after: Only reviews that follow this place.
        """
        table = reviews.c
        query = _query().where(table.tenant == tenant, table.sandbox == sandbox, _in_state(state, now))
        if cause is not None:
            # The column is a list in JSON, and no cause is part of another.
            query = query.where(type_coerce(table.causes, Text).contains(f'"{cause.value}"'))
        if after is not None:
            query = query.where(newer(after, table.create_time, table.check_id))
        query = query.order_by(table.create_time, table.check_id).limit(limit)
        return find_all(connection, query, _stored)

    @writes
    def change(self, connection: Connection, review: Review, *, event: AuditEvent, now: datetime) -> bool:
        """Store the next step of a review, and log it.

        Returns:
            Whether it was stored: False if another step was, its expiry was logged, or the check was erased,
            since it was read.
        """
        # The check is locked before its review, as an erasure does.
        check = None if review.outcome is None else find_check(connection, review.check_id, lock=True)
        values = values_of(review) | ({"close_time": now} if review.outcome is not None else {})
        changed = connection.execute(
            update(reviews)
            .where(reviews.c.check_id == review.check_id, reviews.c.tenant == review.tenant)
            .where(reviews.c.revision == review.revision - 1, reviews.c.close_time.is_(None))
            .values(values)
        )
        if changed.rowcount != 1:
            return False
        append(connection, event, now=now)
        if check is not None and review.outcome is not None:
            self._outbox.of_check(
                connection, check, EventKind.REVIEW_DECIDED, now, outcome=review.outcome.value
            )
        return True

    @reads
    def backlog(self, connection: Connection, now: datetime) -> ReviewBacklog:
        """Return what waits for a decision, over all tenants, without sandbox checks."""
        pending = reviews.c.expire_time > now
        real = and_(pending, ~reviews.c.sandbox)
        query = select(
            func.count().filter(real).label("open"),
            func.min(reviews.c.create_time).filter(real).label("oldest"),
            func.count().filter(~pending).label("overdue"),
        ).where(reviews.c.close_time.is_(None))
        return ReviewBacklog(**connection.execute(query).mappings().one())

    @writes
    def close_overdue(self, connection: Connection, now: datetime, limit: int, *, actor: Actor) -> int:
        """Log reviews whose deadline passed, each once, the longest overdue first; return their number."""
        due = (
            select(reviews.c.check_id, reviews.c.tenant)
            .where(reviews.c.close_time.is_(None), reviews.c.expire_time <= now)
            .order_by(reviews.c.expire_time)
            .limit(limit)
        )
        expired = 0
        for row in connection.execute(due).all():
            closed = (
                update(reviews)
                .where(reviews.c.check_id == row.check_id, reviews.c.close_time.is_(None))
                .values(close_time=now)
            )
            if connection.execute(closed).rowcount != 1:
                continue  # Another process logged it, or erased it.
            event = AuditEvent(
                tenant=row.tenant, action=AuditAction.REVIEW_EXPIRED, actor=actor, check_id=row.check_id
            )
            append(connection, event, now=now)
            expired += 1
        return expired


def _query() -> Select[Any]:
    columns = (reviews.c[each.name] for each in fields(Review))
    return (
        select(*columns, checks.c.status, policies.c.name.label("policy"))
        .join_from(reviews, checks)
        .join(policies)
    )


def _stored(*, policy: str, status: CheckStatus | None, **row: Any) -> StoredReview:
    return StoredReview(Review(**row), policy, status)


def _in_state(state: ReviewState | None, now: datetime) -> ColumnElement[bool]:
    """Return the condition of a state, as ``Review.state`` has it."""
    table = reviews.c
    pending = and_(table.outcome.is_(None), table.expire_time > now)
    held = and_(table.claimed_by.is_not(None), table.claim_expire_time > now)
    free = and_(pending, or_(table.claimed_by.is_(None), table.claim_expire_time <= now))
    undecided = type_coerce(table.decisions, Text) == "[]"
    match state:
        case None:
            return pending
        case ReviewState.DECIDED:
            return table.outcome.is_not(None)
        case ReviewState.EXPIRED:
            return and_(table.outcome.is_(None), table.expire_time <= now)
        case ReviewState.CLAIMED:
            return and_(pending, held)
        case ReviewState.OPEN:
            return and_(free, undecided)
        case ReviewState.AWAITING_SECOND:
            return and_(free, ~undecided)
