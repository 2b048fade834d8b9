"""The transitions of a check and of its attempts. Each function is the body of one transaction.

All functions lock the check, compare before they set, and raise ``Conflict`` if another writer was first. The
arguments and other errors are documented in ``server.storage.repository``.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from server.audit import AuditEvent
from server.domain.reasons import FailureReason
from server.domain.state import CLOSED_WITH_RESULT, OPEN_STATES, CheckState, may_become
from server.domain.terms import EndedBy
from server.domain.tries import TryRules
from server.storage import rows, statements
from server.storage.audit import append
from server.storage.errors import SessionKeyMismatch, SessionKeyUnproven
from server.storage.evidence_records import add_record
from server.storage.records import (
    AttemptEnding,
    AttemptRecord,
    CheckRecord,
    Decision,
    EvidenceEntry,
    NewAttempt,
    NewCheck,
    RequestKey,
)
from server.storage.tries import add_tries, begin_tries, settle_tries

__all__ = [
    "acquire_lease",
    "change_attempt",
    "complete_attempt",
    "create",
    "decide",
    "finish",
    "move",
    "request_close",
    "start_attempt",
]


def create(connection: Connection, check: NewCheck, request: RequestKey | None) -> CheckRecord:
    """Inserts a check, or returns the check that the same request created."""
    if request is not None:
        existing = statements.check_by_request(connection, request)
        if existing is not None:
            return existing
    statements.add_check(connection, check, request)
    add_tries(connection, check.check_id, check.tries, check.create_time)
    return statements.load_check(connection, check.check_id)


def move(
    connection: Connection,
    check_id: UUID,
    *,
    expected: Collection[CheckState],
    epoch: int | None,
    to: CheckState,
    changes: Mapping[str, Any],
) -> CheckRecord:
    """Moves a check between open states; every state but SCANNING ends the lease."""
    record = statements.load_in_state(connection, check_id, states=expected, epoch=epoch)
    if to not in OPEN_STATES or not may_become(record.state, to):
        raise statements.conflict(f"a check cannot be moved to {to.value} this way", record)
    left = {} if to is CheckState.SCANNING else rows.NO_LEASE
    return statements.update_check(connection, check_id, {"state": to.value, **left, **changes})


def acquire_lease(
    connection: Connection,
    check_id: UUID,
    *,
    session_key: bytes,
    proven: bool,
    owner: str,
    now: datetime,
    lease_seconds: float,
    try_rules: TryRules | None,
) -> CheckRecord:
    """Gives the lease to a stream, and ends the running attempts of the previous stream."""
    fingerprint = sha256(session_key).digest()
    record = statements.load_in_state(connection, check_id, states=OPEN_STATES, epoch=None)
    if record.closing is not None:
        raise statements.conflict("the orchestrator closes the check", record)
    if record.session_key_sha256 not in {None, fingerprint}:
        raise SessionKeyMismatch("the check is bound to the session key of its first stream")
    if record.session_key_sha256 is not None and not proven:
        raise SessionKeyUnproven("the check is bound to this session key since it was read")
    if try_rules is not None and record.streams == 0:
        begin_tries(connection, check_id, rules=try_rules, now=now)
    ended_by = None if record.held(now) else EndedBy.SERVER_STOPPED
    statements.interrupt_attempts(connection, check_id, now, ended_by=ended_by)
    return statements.update_check(
        connection,
        check_id,
        {
            "state": CheckState.SCANNING.value,
            "session_key": session_key,
            "session_key_sha256": fingerprint,
            "lease_owner": owner,
            "lease_epoch": record.lease_epoch + 1,
            "lease_until": now + timedelta(seconds=lease_seconds),
            "resume_until": None,
            "streams": record.streams + 1,
        },
    )


def request_close(connection: Connection, check_id: UUID, reason: FailureReason) -> CheckRecord:
    """Notes that an open check is to be closed, unless that is noted already."""
    record = statements.load_check(connection, check_id, lock=True)
    if record.state not in OPEN_STATES or record.closing is not None:
        return record
    return statements.update_check(connection, check_id, {"closing": reason.value})


def start_attempt(
    connection: Connection, check_id: UUID, *, epoch: int, attempt: NewAttempt
) -> AttemptRecord:
    """Inserts an attempt of the stream that holds the lease."""
    record = statements.load_in_state(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
    if statements.list_attempts(connection, check_id, number=attempt.number):
        raise statements.conflict(f"there is already an attempt {attempt.number}", record)
    return statements.add_attempt(connection, check_id, epoch=epoch, attempt=attempt)


def change_attempt(
    connection: Connection,
    check_id: UUID,
    *,
    epoch: int,
    number: int,
    values: Mapping[str, Any],
    evidence: tuple[EvidenceEntry, ...] = (),
) -> AttemptRecord:
    """Updates an attempt of the stream that holds the lease, and adds its kept images."""
    record = statements.load_in_state(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
    changed = statements.change_attempt(connection, record, number, values)
    statements.add_evidence(connection, check_id, evidence)
    return changed


def complete_attempt(
    connection: Connection, check_id: UUID, *, epoch: int, ending: AttemptEnding
) -> AttemptRecord:
    """Stores the outcome of a fenced stream's attempt; its time of end is stored already."""
    record = statements.load_in_state(connection, check_id, states=OPEN_STATES, epoch=None)
    return _complete(connection, record, ending, epoch=epoch)


def _complete(
    connection: Connection, check: CheckRecord, ending: AttemptEnding, *, epoch: int
) -> AttemptRecord:
    values = rows.ending_row(ending)
    del values["end_time"]
    return statements.complete_attempt(connection, check, ending.number, epoch=epoch, values=values)


def decide(
    connection: Connection,
    check_id: UUID,
    *,
    epoch: int | None,
    decision: Decision,
    ending: AttemptEnding | None,
    fenced: int | None,
) -> None:
    """Decides an open check, and ends its running attempts."""
    # 1. Lock the check; it must be open.
    now = decision.decide_time
    record = statements.load_in_state(connection, check_id, states=OPEN_STATES, epoch=epoch)
    # 2. Store the end of the deciding attempt.
    if ending is not None and fenced is not None:
        _complete(connection, record, ending, epoch=fenced)
    elif ending is not None:
        statements.change_attempt(connection, record, ending.number, rows.ending_row(ending))
    # 3. End all other attempts.
    ended_by = EndedBy.CHECK_CLOSED if record.held(now) else EndedBy.SERVER_STOPPED
    statements.interrupt_attempts(connection, check_id, now, ended_by=ended_by)
    statements.mark_stopped(connection, check_id)
    # 4. Store the evidence, its record and the decision, and settle the tries. The record takes over what the
    # rows of the attempts have in clear.
    statements.add_evidence(connection, check_id, decision.evidence)
    add_record(connection, record, decision)
    statements.erase_judgements(connection, check_id)
    statements.set_values(connection, check_id, rows.decision_row(decision))
    settle_tries(connection, check_id, decision)


def finish(
    connection: Connection,
    check_id: UUID,
    now: datetime,
    *,
    first: AuditEvent | None,
    again: AuditEvent | None,
) -> CheckRecord:
    """Notes that the result was received, unless that is noted already, and appends the entry of the call."""
    record = statements.load_in_state(connection, check_id, states=CLOSED_WITH_RESULT, epoch=None)
    event = again
    if record.state is not CheckState.FINISHED:
        values = {"state": CheckState.FINISHED.value, "finish_time": now}
        record, event = statements.update_check(connection, check_id, values), first
    if event is not None:
        append(connection, event, now=now)
    return record
