"""Changes the key folder, each time in the transaction that records the change in the audit log.

Without an entry, nothing changes. But files are not part of a transaction: if the process is killed between
the two, the files are changed and the entry is lost; the next server then logs that the files changed.
Therefore a change that cannot be undone has a separate entry, which is durable before the change.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from sqlalchemy import Connection

from cli.audited import audited_database, shell_actor
from server.audit import SERVER_TENANT, AuditAction, AuditEvent
from server.configuration.settings import Settings
from server.configuration.tables import TwoPeople
from server.storage.approvals import ApprovalRequest, PendingApproval, second_person
from server.storage.audit import append

__all__ = ["pending_approval", "record_change"]

Result = TypeVar("Result")


def record_change(
    database_url: str,
    action: AuditAction,
    change: Callable[[Connection], Result],
    *,
    reason: str,
    announced: AuditAction | None = None,
    **detail: str,
) -> Result:
    """Makes a change and records it.

    Args:
        database_url: The database with the audit log. A SQLite file that is missing is made for what may come
            before a server's first start: a rotation, and the encryption of its keys.
        action: The action for the audit log.
        change: Makes the change within the transaction, and returns its result.
        reason: The user's reason, for the audit log.
        announced: The action of the entry that is made durable before the change; ``None`` for none.
        **detail: Further facts for the entry; empty ones are left out.

    Raises:
        StorageError: The entry cannot be written.
        AuditEventInvalid: A value is too long for an entry.
    """
    event = _event(action, reason, detail)

    def work(connection: Connection) -> Result:
        append(connection, event, now=datetime.now(UTC))
        return change(connection)

    async def run() -> Result:
        make = action in {AuditAction.KEY_ROTATED, AuditAction.KEYS_ENCRYPTED}
        async with audited_database(database_url, make=make) as database:
            if announced is not None:
                await database.write(append, replace(event, action=announced), now=datetime.now(UTC))
            return await database.write(work)

    return asyncio.run(run())


def pending_approval(settings: Settings, *, reason: str, **detail: str) -> PendingApproval | None:
    """Asks another user to approve the destruction of a key, or confirms that user's request and uses it up.

    Args:
        settings: The settings, which may demand two people.
        reason: The user's reason, for the audit log.
        **detail: The facts that the second user must repeat.

    Returns:
        The request that waits; ``None`` if the key may be destroyed now, because the settings demand no
        second user or this call confirmed another user's request.

    Raises:
        StorageError: The database cannot be used.
        AuditEventInvalid: A value is too long for an entry.
    """
    if TwoPeople.DESTROY_KEY not in settings.compliance.two_people:
        return None
    arguments = json.dumps(sorted(detail.items())).encode()
    request = ApprovalRequest(
        action=TwoPeople.DESTROY_KEY.value,
        arguments_sha256=sha256(arguments).digest(),
        event=_event(AuditAction.KEY_DESTROYED, reason, detail),
        valid=timedelta(hours=settings.compliance.approval_hours),
    )

    async def run() -> PendingApproval | None:
        async with audited_database(settings.database_url) as database:
            return await database.write(second_person, request, now=datetime.now(UTC))

    return asyncio.run(run())


def _event(action: AuditAction, reason: str, detail: Mapping[str, str]) -> AuditEvent:
    return AuditEvent(
        tenant=SERVER_TENANT,
        action=action,
        actor=shell_actor(),
        purpose=reason,
        detail={name: value for name, value in detail.items() if value},
    )
