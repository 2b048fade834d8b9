"""Figures of decided checks by day and policy; tombstones of erased checks have what is counted, too."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Text,
    cast,
    extract,
    func,
    literal_column,
    select,
    type_coerce,
)

from server.domain.reviews import ReviewCause, ReviewOutcome
from server.domain.terms import CheckStatus, FailureReason
from server.storage.database import Repository, reads
from server.storage.tables import Word, checks, policies, reviews


@dataclass(slots=True, kw_only=True)
class DayFigures:
    """The checks of a tenant that were decided on one day under one policy.

    Attributes:
        day: The day of the decisions, UTC.
        statuses: The number of checks of each status.
        reasons: The number of checks with a reason. A check may have several.
        seconds: The number of checks that took so many whole seconds from their creation to their decision.
        reviews: The number of checks of a status whose review was decided so.
        sampled: The number of those that the sample sent to review.
        reviews_open: The number of reviews that are not over.
        reviews_expired: The number of reviews that ended undecided.
    """

    day: date
    policy: str
    statuses: Counter[CheckStatus] = field(default_factory=Counter)
    reasons: Counter[FailureReason] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    reviews: Counter[tuple[CheckStatus, ReviewOutcome]] = field(default_factory=Counter)
    sampled: Counter[tuple[CheckStatus, ReviewOutcome]] = field(default_factory=Counter)
    reviews_open: int = 0
    reviews_expired: int = 0


class FiguresRepository(Repository):
    """Counts checks."""

    @reads
    def has_more(
        self, connection: Connection, tenant: str, most: int, *, since: datetime, before: datetime
    ) -> bool:
        """Return whether more than ``most`` checks of a tenant were decided in a time; the index knows."""
        decided = checks.c.decide_time
        found = select(decided).where(checks.c.tenant == tenant, decided >= since, decided < before)
        return len(connection.execute(found.offset(most).limit(1)).all()) > 0

    @reads
    def days(
        self,
        connection: Connection,
        tenant: str,
        *,
        since: datetime,
        before: datetime,
        now: datetime,
        policy: str = "",
        sandbox: bool | None = None,
    ) -> tuple[DayFigures, ...]:
        """Return the figures of each day and policy with a check, in this order.

        Args:
            since: Decided at this time or later.
            before: Decided earlier.
            now: Reviews whose deadline is not later have expired.
            policy: The name of the only policy; empty for all.
            sandbox: Whether only checks of sandbox callers, or only others, count; ``None`` for both.
        """
        query = figures_query(connection, tenant, since=since, before=before, now=now)
        if policy:
            query = query.where(policies.c.name == policy)
        if sandbox is not None:
            query = query.where(checks.c.sandbox == sandbox)
        found: dict[tuple[str, str], DayFigures] = {}
        for row in connection.execute(query).mappings():
            _count(found, row)
        return tuple(found[key] for key in sorted(found))


def figures_query(
    connection: Connection, tenant: str, *, since: datetime, before: datetime, now: datetime
) -> Select[Any]:
    """Return the query of the checks that were decided in a time, grouped by everything that is counted."""
    day, seconds = _expressions(connection)
    keys = (day.label("day"), policies.c.name.label("policy"))
    outcome = type_coerce(reviews.c.outcome, Word(ReviewOutcome, 16, alterable=True))
    facts = (checks.c.status, checks.c.reasons, seconds.label("seconds"), outcome.label("outcome"))
    sampled = type_coerce(reviews.c.causes, Text).contains(f'"{ReviewCause.SAMPLE.value}"')
    undecided = reviews.c.outcome.is_(None)
    counts = (
        func.count().label("checks"),
        func.count().filter(sampled).label("sampled"),
        func.count().filter(undecided, reviews.c.expire_time > now).label("open"),
        func.count().filter(undecided, reviews.c.expire_time <= now).label("expired"),
    )
    return (
        select(*keys, *facts, *counts)
        .join_from(checks, policies)
        .outerjoin(reviews, reviews.c.check_id == checks.c.check_id)
        .where(checks.c.tenant == tenant, checks.c.decide_time >= since, checks.c.decide_time < before)
        .group_by(*keys, *facts)
    )


def _expressions(connection: Connection) -> tuple[ColumnElement[str], ColumnElement[int]]:
    """Return the day of the decision as text, and the whole seconds from creation to decision."""
    created, decided = checks.c.create_time, checks.c.decide_time
    if connection.dialect.name == "postgresql":
        # Not as parameters, with which the database takes the columns for others than it groups by.
        zone: ColumnElement[str] = literal_column("'UTC'")
        form: ColumnElement[str] = literal_column("'YYYY-MM-DD'")
        lasted: ColumnElement[Any] = extract("epoch", decided - created)
        return func.to_char(func.timezone(zone, decided), form), cast(func.floor(lasted), Integer)
    # SQLite stores times as text, and its day numbers are good to a tenth of a millisecond.
    lasted = (func.julianday(decided) - func.julianday(created)) * 86_400 + 0.001
    return func.substr(cast(decided, String), 1, 10), cast(lasted, Integer)


def _count(found: dict[tuple[str, str], DayFigures], row: Mapping[Any, Any]) -> None:
    key = (row["day"], row["policy"])
    if key not in found:
        found[key] = DayFigures(day=date.fromisoformat(row["day"]), policy=row["policy"])
    figures, number = found[key], row["checks"]
    figures.seconds[max(0, row["seconds"])] += number
    figures.reviews_open += row["open"]
    figures.reviews_expired += row["expired"]
    # A status, a reason or an outcome that somebody made unreadable is None.
    if row["status"] is not None:
        figures.statuses[row["status"]] += number
        if row["outcome"] is not None:
            figures.reviews[row["status"], row["outcome"]] += number
            figures.sampled[row["status"], row["outcome"]] += row["sampled"]
    for reason in row["reasons"] or ():
        figures.reasons[reason] += number
