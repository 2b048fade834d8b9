"""The history of failed and running checks of a subject, portrait or device, for ``server.domain.tries``.

The functions work inside an open transaction. A check's rows are written when it is created, marked when its
first scan begins, and settled in the transaction that decides it. A check that does not count keeps no rows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from server.domain.terms import OPEN_STATES
from server.domain.tries import Standing, TryKind, TryMark, TryOutcome, TryRules, judge_tries, try_outcome
from server.storage.check_rows import load_check
from server.storage.errors import TriesExceeded
from server.storage.records import Decision, values_of
from server.storage.tables import attempts, check_tries


def add_tries(connection: Connection, check_id: UUID, marks: Sequence[TryMark], now: datetime) -> None:
    """Insert the marks of a new check."""
    if marks:
        connection.execute(
            insert(check_tries), [_row(check_id, mark, TryOutcome.CREATED, now) for mark in marks]
        )


def expect_allowed(
    connection: Connection,
    marks: Iterable[TryMark],
    *,
    rules: TryRules,
    now: datetime,
    excluding: UUID | None = None,
) -> None:
    """Test whether a further check is allowed for all marks.

    Args:
        marks: The marks of the subject, portrait or device.
        excluding: A check that is not counted.

    Raises:
        TriesExceeded: A further check is not allowed.
    """
    for mark in marks:
        query = select(check_tries.c.outcome, check_tries.c.time).where(
            _is(mark),
            or_(check_tries.c.outcome == TryOutcome.BEGUN, check_tries.c.time > now - rules.reach),
        )
        if excluding is not None:
            query = query.where(check_tries.c.check_id != excluding)
        history = [(row.outcome, row.time) for row in connection.execute(query)]
        standing, until = judge_tries(history, rules=rules, now=now)
        if standing is not Standing.ALLOWED:
            raise TriesExceeded(mark.kind, standing, until)


def begin_tries(connection: Connection, check_id: UUID, *, rules: TryRules, now: datetime) -> None:
    """Count a check from its first scan until it is decided.

    Raises:
        TriesExceeded: No further check is allowed.
    """
    query = select(check_tries.c.kind, check_tries.c.mark).where(check_tries.c.check_id == check_id)
    marks = [TryMark(row.kind, row.mark) for row in connection.execute(query)]
    _serialise(connection, marks)
    expect_allowed(connection, marks, rules=rules, now=now, excluding=check_id)
    connection.execute(
        update(check_tries).where(check_tries.c.check_id == check_id).values(outcome=TryOutcome.BEGUN)
    )


def begin_device(
    connection: Connection, check_id: UUID, mark: TryMark, *, rules: TryRules, now: datetime
) -> None:
    """Count a running check for its device, unless the check was decided meanwhile.

    Raises:
        TriesExceeded: No further check of the device is allowed.
    """
    if load_check(connection, check_id, lock=True).state not in OPEN_STATES:
        return
    _serialise(connection, [mark])
    known = select(check_tries.c.check_id).where(check_tries.c.check_id == check_id, _is(mark))
    if connection.execute(known).first() is None:
        expect_allowed(connection, [mark], rules=rules, now=now)
        connection.execute(insert(check_tries).values(_row(check_id, mark, TryOutcome.BEGUN, now)))


def settle_tries(connection: Connection, check_id: UUID, decision: Decision) -> None:
    """Settle the rows of a decided check: they get its outcome, or are deleted if it does not count."""
    counted = select(func.count()).where(attempts.c.check_id == check_id, attempts.c.counted)
    outcome = try_outcome(
        decision.status, decision.reasons, frames_counted=connection.execute(counted).scalar_one() > 0
    )
    own = check_tries.c.check_id == check_id
    if outcome is not None:
        begun = check_tries.c.outcome == TryOutcome.BEGUN
        values = {"outcome": outcome, "time": decision.decide_time}
        connection.execute(update(check_tries).where(own, begun).values(values))
        own = and_(own, check_tries.c.outcome == TryOutcome.CREATED)
    connection.execute(delete(check_tries).where(own))


def count_attacks(connection: Connection, check_id: UUID, kind: TryKind, *, since: datetime) -> int | None:
    """Return the number of other checks of the same subject or device that failed by an attack, or None."""
    own = select(check_tries.c.mark).where(check_tries.c.check_id == check_id, check_tries.c.kind == kind)
    marks = connection.execute(own).scalars().all()
    if not marks:
        return None
    query = select(func.count(check_tries.c.check_id.distinct())).where(
        check_tries.c.mark.in_(marks),
        check_tries.c.check_id != check_id,
        check_tries.c.outcome == TryOutcome.ATTACK,
        check_tries.c.time >= since,
    )
    return connection.execute(query).scalar_one()


def _is(mark: TryMark) -> ColumnElement[bool]:
    return check_tries.c.mark == mark.mark


def _serialise(connection: Connection, marks: Iterable[TryMark]) -> None:
    """Serialise transactions on the same mark; SQLite has only one writer anyway."""
    if connection.dialect.name == "postgresql":
        for key in sorted(int.from_bytes(mark.mark[:8], "big", signed=True) for mark in marks):
            connection.execute(select(func.pg_advisory_xact_lock(key)))


def _row(check_id: UUID, mark: TryMark, outcome: TryOutcome, now: datetime) -> dict[str, object]:
    return values_of(mark) | {"check_id": check_id, "outcome": outcome, "time": now}
