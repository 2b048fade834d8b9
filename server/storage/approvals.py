"""Actions that one person requests and a second person confirms. The functions work inside a transaction."""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from server.audit import AuditAction, AuditEvent
from server.storage.audit import append
from server.storage.database import find_one
from server.storage.engine import insert_unless_there
from server.storage.records import values_of
from server.storage.tables import pending_approvals

APPROVAL_VALID: Final = timedelta(hours=24)
"""How long a second person may confirm: until the next working day, with the same case in mind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A call that needs two people.

    Attributes:
        action: The action, such as ``"erase"``.
        arguments_sha256: SHA-256 of the tenant's arguments, 32 bytes; the second call must have the same.
        event: The audit event of the action, whose actor makes this call.
    """

    action: str
    arguments_sha256: bytes
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A request that waits for a second person.

    Attributes:
        requested_by: Name of the caller that made it.
        expire_time: Until when a second person may confirm it.
    """

    requested_by: str
    request_time: datetime
    expire_time: datetime


def second_person(
    connection: Connection, request: ApprovalRequest, *, now: datetime, consume: bool = True
) -> PendingApproval | None:
    """Confirm a request of another person, or record a request.

    Args:
        consume: Whether a confirmed request is used up. An action of several transactions calls ``use_up`` in
            the last one, so that the same person can repeat the call after a failure.

    Returns:
        The request that waits; ``None`` if this call confirmed it, and the action may be performed in the
        same transaction.
    """
    own = _is(request)
    connection.execute(delete(pending_approvals).where(own, pending_approvals.c.expire_time <= now))
    pending = PendingApproval(request.event.actor.name, now, now + APPROVAL_VALID)
    # Another call may record the same request at this moment, or use it up.
    while (earlier := _locked(connection, own)) is None:
        values = values_of(pending) | {
            "tenant": request.event.tenant,
            "action": request.action,
            "arguments_sha256": request.arguments_sha256,
        }
        if insert_unless_there(connection, pending_approvals, values):
            requested = _event(request, AuditAction.APPROVAL_REQUESTED, requested_by=pending.requested_by)
            append(connection, requested, now=now)
            return pending
    if earlier.requested_by == request.event.actor.name:
        return earlier
    if consume:
        connection.execute(delete(pending_approvals).where(own))
    append(
        connection, _event(request, AuditAction.APPROVAL_GIVEN, requested_by=earlier.requested_by), now=now
    )
    return None


def use_up(connection: Connection, request: ApprovalRequest, *, now: datetime) -> None:
    """Delete a request that was confirmed at ``now``, unless another call that confirmed it has deleted it.

    A request that was recorded later is another one, and stays.
    """
    connection.execute(delete(pending_approvals).where(_is(request), pending_approvals.c.request_time <= now))


def withdraw(connection: Connection, request: ApprovalRequest, *, now: datetime) -> PendingApproval | None:
    """Delete a request that waits, whoever made it, and log that; return it, ``None`` if there is none."""
    own = _is(request)
    waiting = _locked(connection, own)
    if waiting is None or waiting.expire_time <= now:
        return None
    connection.execute(delete(pending_approvals).where(own))
    withdrawn = _event(request, AuditAction.APPROVAL_WITHDRAWN, requested_by=waiting.requested_by)
    append(connection, withdrawn, now=now)
    return waiting


def _is(request: ApprovalRequest) -> ColumnElement[bool]:
    return and_(
        pending_approvals.c.tenant == request.event.tenant,
        pending_approvals.c.action == request.action,
        pending_approvals.c.arguments_sha256 == request.arguments_sha256,
    )


def _locked(connection: Connection, own: ColumnElement[bool]) -> PendingApproval | None:
    columns = (pending_approvals.c[each.name] for each in fields(PendingApproval))
    return find_one(connection, select(*columns).where(own).with_for_update(), PendingApproval)


def _event(request: ApprovalRequest, action: AuditAction, *, requested_by: str) -> AuditEvent:
    event = request.event
    detail = {**event.detail, "of": event.action.value, "requested_by": requested_by}
    return replace(event, action=action, detail=detail)
