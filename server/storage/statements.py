"""The statements of the repository's transactions. Each function works inside an open transaction."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from server.domain.state import CheckState
from server.domain.terms import AttemptOutcome, EndedBy
from server.storage import rows
from server.storage.errors import CheckNotFound, Conflict, RequestIdReused
from server.storage.records import (
    AttemptRecord,
    CheckRecord,
    EvidenceEntry,
    NewAttempt,
    NewCheck,
    RequestKey,
)
from server.storage.tables import attempts, checks, evidence, holds, policies, requests, schema_floor

__all__ = [
    "add_attempt",
    "add_check",
    "add_evidence",
    "change_attempt",
    "change_leased",
    "check_by_request",
    "complete_attempt",
    "conflict",
    "due_checks",
    "erase_judgements",
    "expired_checks",
    "expired_images",
    "find_check",
    "interrupt_attempts",
    "list_attempts",
    "list_evidence",
    "load_check",
    "load_in_state",
    "mark_stopped",
    "probe",
    "referenced_objects",
    "remove_evidence",
    "set_values",
    "update_check",
]


def conflict(message: str, record: CheckRecord) -> Conflict:
    """Returns a ``Conflict`` that states the state of ``record``."""
    return Conflict(message, state=record.state, lease_epoch=record.lease_epoch)


def probe(connection: Connection) -> None:
    """Writes, to test whether the database still takes and keeps data."""
    connection.execute(update(schema_floor).values(probes=schema_floor.c.probes + 1))


def find_check(connection: Connection, check_id: UUID, *, lock: bool = False) -> CheckRecord | None:
    """Returns the check, or None; ``lock`` keeps other writers out until the transaction ends."""
    query = rows.CHECKS.where(checks.c.check_id == check_id)
    if lock:
        query = query.with_for_update(of=checks)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else rows.check_record(row)


def load_check(connection: Connection, check_id: UUID, *, lock: bool = False) -> CheckRecord:
    """Returns the check.

    Raises:
        CheckNotFound: There is none.
    """
    record = find_check(connection, check_id, lock=lock)
    if record is None:
        raise CheckNotFound(check_id)
    return record


def load_in_state(
    connection: Connection, check_id: UUID, *, states: Collection[CheckState], epoch: int | None
) -> CheckRecord:
    """Returns the locked check if it is in one of ``states`` and has this lease epoch (None for any).

    Raises:
        CheckNotFound: There is none.
        Conflict: It is in another state, or another stream holds the lease.
    """
    record = load_check(connection, check_id, lock=True)
    if record.state not in states:
        raise conflict("this is no longer possible, or not yet possible", record)
    if epoch is not None and record.lease_epoch != epoch:
        raise conflict(f"the lease epoch {epoch} is not current", record)
    return record


def check_by_request(connection: Connection, request: RequestKey) -> CheckRecord | None:
    """Returns the check that ``request`` created; None if the request was never made.

    Raises:
        RequestIdReused: It was made with another payload.
    """
    query = select(requests.c.payload_sha256, requests.c.check_id).where(
        requests.c.tenant == request.tenant,
        requests.c.method == request.method,
        requests.c.request_id == request.request_id,
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    # The request of an erased check has no hash any more and leads to the tombstone.
    if row.payload_sha256 and row.payload_sha256 != request.payload_sha256:
        raise RequestIdReused(request.request_id)
    return load_check(connection, row.check_id)


def add_check(connection: Connection, check: NewCheck, request: RequestKey | None) -> None:
    """Inserts a check, its request, and its policy if no other check has it."""
    known = select(policies.c.sha256).where(policies.c.sha256 == check.policy_sha256)
    if connection.execute(known).one_or_none() is None:
        connection.execute(insert(policies).values(rows.policy_row(check)))
    connection.execute(insert(checks).values(rows.check_row(check)))
    if request is not None:
        connection.execute(insert(requests).values(rows.request_row(request, check.check_id)))
    add_evidence(connection, check.check_id, check.images)


def set_values(connection: Connection, check_id: UUID, values: Mapping[str, Any]) -> None:
    """Updates a check."""
    connection.execute(update(checks).where(checks.c.check_id == check_id).values(dict(values)))


def update_check(connection: Connection, check_id: UUID, values: Mapping[str, Any]) -> CheckRecord:
    """Updates a check and returns it."""
    set_values(connection, check_id, values)
    return load_check(connection, check_id)


def change_leased(connection: Connection, check_id: UUID, *, epoch: int, values: Mapping[str, Any]) -> bool:
    """Updates a check in SCANNING that has the lease epoch ``epoch`` and is not being closed.

    Returns:
        False if there is no such check.
    """
    statement = (
        update(checks)
        .where(checks.c.check_id == check_id)
        .where(checks.c.state == CheckState.SCANNING.value)
        .where(checks.c.lease_epoch == epoch, checks.c.closing.is_(None))
        .values(dict(values))
    )
    return connection.execute(statement).rowcount == 1


def due_checks(
    connection: Connection,
    *,
    states: Collection[CheckState],
    now: datetime,
    limit: int,
    after: CheckRecord | None,
) -> list[CheckRecord]:
    """Returns at most ``limit`` checks that no replica leases and whose scan deadline has passed.

    Only checks in one of ``states`` are returned, the earliest deadline first, and only those after the check
    ``after`` in this order.
    """
    query = (
        rows.CHECKS.where(checks.c.state.in_([state.value for state in states]))
        .where(checks.c.scan_deadline <= now)
        .where(or_(checks.c.lease_until.is_(None), checks.c.lease_until <= now))
        .order_by(checks.c.scan_deadline, checks.c.check_id)
        .limit(limit)
    )
    if after is not None:
        same = checks.c.scan_deadline == after.scan_deadline
        query = query.where(
            or_(checks.c.scan_deadline > after.scan_deadline, and_(same, checks.c.check_id > after.check_id))
        )
    return [rows.check_record(row) for row in connection.execute(query).mappings()]


def expired_checks(
    connection: Connection, *, states: Collection[CheckState], now: datetime, limit: int
) -> list[CheckRecord]:
    """Returns at most ``limit`` checks without a hold whose retention has ended.

    Only checks in one of ``states`` are returned, the longest overdue first.
    """
    query = (
        rows.CHECKS.where(checks.c.state.in_([state.value for state in states]))
        .where(checks.c.retain_until <= now, ~exists().where(holds.c.check_id == checks.c.check_id))
        .order_by(checks.c.retain_until, checks.c.check_id)
        .limit(limit)
    )
    return [rows.check_record(row) for row in connection.execute(query).mappings()]


def expired_images(
    connection: Connection, *, states: Collection[CheckState], now: datetime, limit: int
) -> list[CheckRecord]:
    """Returns at most ``limit`` checks without a hold whose images are due for erasure.

    Only checks in one of ``states`` are returned, the longest overdue first.
    """
    query = (
        rows.CHECKS.where(checks.c.state.in_([state.value for state in states]))
        .where(checks.c.images_until <= now, ~exists().where(holds.c.check_id == checks.c.check_id))
        .order_by(checks.c.images_until, checks.c.check_id)
        .limit(limit)
    )
    return [rows.check_record(row) for row in connection.execute(query).mappings()]


def add_attempt(connection: Connection, check_id: UUID, *, epoch: int, attempt: NewAttempt) -> AttemptRecord:
    """Inserts an attempt."""
    statement = insert(attempts).values(rows.attempt_row(check_id, epoch, attempt)).returning(attempts)
    return rows.attempt_record(connection.execute(statement).mappings().one())


def change_attempt(
    connection: Connection, check: CheckRecord, number: int, values: Mapping[str, Any]
) -> AttemptRecord:
    """Updates an attempt that runs under the check's current lease.

    Raises:
        Conflict: There is no such attempt.
    """
    statement = (
        update(attempts)
        .where(attempts.c.check_id == check.check_id, attempts.c.number == number)
        .where(attempts.c.epoch == check.lease_epoch, attempts.c.outcome.is_(None))
        .values(dict(values))
        .returning(attempts)
    )
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise conflict(f"no attempt {number} runs in this stream", check)
    return rows.attempt_record(row)


def interrupt_attempts(
    connection: Connection, check_id: UUID, now: datetime, *, ended_by: EndedBy | None
) -> None:
    """Ends every running attempt as INTERRUPTED.

    Args:
        connection: The connection of the transaction.
        check_id: The check.
        now: The current time.
        ended_by: The event that ended them; None if their own stream will still store it.
    """
    event = None if ended_by is None else ended_by.value
    connection.execute(
        update(attempts)
        .where(attempts.c.check_id == check_id, attempts.c.outcome.is_(None))
        .values(outcome=AttemptOutcome.INTERRUPTED.value, end_time=now, ended_by=event)
    )


def mark_stopped(connection: Connection, check_id: UUID) -> None:
    """Marks attempts whose streams never stored the event that ended them: their server stopped."""
    connection.execute(
        update(attempts)
        .where(attempts.c.check_id == check_id)
        .where(attempts.c.outcome.is_not(None), attempts.c.ended_by.is_(None))
        .values(ended_by=EndedBy.SERVER_STOPPED.value)
    )


def complete_attempt(
    connection: Connection, check: CheckRecord, number: int, *, epoch: int, values: Mapping[str, Any]
) -> AttemptRecord:
    """Stores the late facts of an attempt that a newer stream already ended as INTERRUPTED.

    The attempt's own stream lost its lease to the newer one, and calls this once.

    Raises:
        Conflict: The attempt is not of this epoch, still runs, or its facts were stored already.
    """
    statement = (
        update(attempts)
        .where(attempts.c.check_id == check.check_id, attempts.c.number == number)
        .where(attempts.c.epoch == epoch)
        .where(attempts.c.outcome.is_not(None), attempts.c.ended_by.is_(None))
        .values(dict(values))
        .returning(attempts)
    )
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise conflict(f"attempt {number} can no longer be changed", check)
    return rows.attempt_record(row)


def any_check(connection: Connection) -> bool:
    """Returns whether there is a check."""
    return connection.execute(select(checks.c.check_id).limit(1)).first() is not None


def list_attempts(
    connection: Connection, check_id: UUID, *, number: int | None = None
) -> tuple[AttemptRecord, ...]:
    """Returns the attempts of a check by number, or only the attempt of a given ``number``."""
    query = select(attempts).where(attempts.c.check_id == check_id).order_by(attempts.c.number)
    if number is not None:
        query = query.where(attempts.c.number == number)
    return tuple(rows.attempt_record(row) for row in connection.execute(query).mappings())


def add_evidence(connection: Connection, check_id: UUID, entries: tuple[EvidenceEntry, ...]) -> None:
    """Inserts kept images in their order, after the existing ones."""
    if not entries:
        return
    # Rows are inserted one after another, so each counts the rows before it.
    behind = select(func.count()).where(evidence.c.check_id == check_id).scalar_subquery()
    new = [rows.evidence_row(check_id, entry) for entry in entries]
    connection.execute(insert(evidence).values(position=behind), new)


def list_evidence(connection: Connection, check_id: UUID) -> tuple[EvidenceEntry, ...]:
    """Returns the kept images of a check, in their order."""
    query = select(evidence).where(evidence.c.check_id == check_id).order_by(evidence.c.position)
    return tuple(rows.evidence_entry(row) for row in connection.execute(query).mappings())


def erase_payload(connection: Connection, check_id: UUID) -> None:
    """Erases the hash of the request that created a check.

    The hash would prove to anyone who has an image that it was the check's portrait. The request's identifier
    stays and leads to the check's tombstone.
    """
    connection.execute(update(requests).where(requests.c.check_id == check_id).values(payload_sha256=b""))


def erase_judgements(connection: Connection, check_id: UUID) -> None:
    """Erases the judgements of a check's attempts, and the hashes of their frames."""
    connection.execute(
        update(attempts).where(attempts.c.check_id == check_id).values(judgement=None, frame_hashes=None)
    )


def remove_evidence(connection: Connection, check_id: UUID) -> tuple[EvidenceEntry, ...]:
    """Deletes the rows of kept images together with their keys; returns the deleted entries."""
    entries = list_evidence(connection, check_id)
    connection.execute(delete(evidence).where(evidence.c.check_id == check_id))
    return entries


def referenced_objects(connection: Connection, object_keys: Collection[str]) -> frozenset[str]:
    """Returns those of ``object_keys`` under which a kept image is stored."""
    query = select(evidence.c.object_key).where(evidence.c.object_key.in_(object_keys))
    return frozenset(connection.execute(query).scalars())
