"""Helps commands that change a server to record the change in the audit log.

A change of the key folder is made in the transaction that records it.

Without an entry, nothing changes. But files are not part of a transaction: if the process is killed between
the two, the files are changed and the entry is lost; the next server then logs that the files changed.
Therefore a change that cannot be undone has a separate entry, which is durable before the change.
"""

import asyncio
import getpass
import json
import os
import platform
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection

from cli.errors import errors_reported
from server.audit import SERVER_TENANT, Actor, AuditAction, AuditError, AuditEvent
from server.base.errors import ConfigurationError
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.configuration.tables import TwoPeople
from server.storage.approvals import ApprovalRequest, PendingApproval, second_person
from server.storage.audit import append
from server.storage.database import Database, open_database
from server.storage.engine import database_file
from server.storage.errors import StorageError
from server.storage.schema import expect_revision, prepare_database

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, for the audit log; at most 256 bytes, and no personal data.")
]


def shell_actor() -> Actor:
    """Return the user of the shell; with sudo, the user who called it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # A user without a name, as in many containers.
        user = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "")
    name = f"{caller} as {user}" if caller and caller != user else user
    return Actor(name=_shown(name), role="shell", address=_shown(platform.node()))


@contextmanager
def server_settings() -> Iterator[Settings]:
    """Load the settings, and report their errors and those of keys, database and log in the block."""
    with errors_reported(ConfigurationError, StorageError, AuditError):
        yield load_settings().settings


@asynccontextmanager
async def audited_database(url: str, *, make: bool = False) -> AsyncIterator[Database]:
    """Open the database of the audit log.

    Args:
        make: Whether a SQLite file that does not exist is made.
    """
    file = database_file(url)
    if make and file is not None and not file.exists():
        await prepare_database(url)
    database = open_database(url)
    try:
        await expect_revision(database)
        yield database
    finally:
        await database.close()


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:64]


Result = TypeVar("Result")


def record_change(
    database_url: str,
    action: AuditAction,
    change: Callable[[Connection], Result],
    *,
    reason: str = "",
    announced: AuditAction | None = None,
    **detail: str,
) -> Result:
    """Make a change and record it.

    Args:
        database_url: The database with the audit log. A SQLite file that is missing is made for what may come
            before a server's first start: a rotation, and the encryption of its keys.
        change: Makes the change within the transaction, and returns its result.
        reason: The user's reason, for the audit log.
        announced: The action of the entry that is made durable before the change; ``None`` for none.
        **detail: Further facts for the entry; empty ones are left out.
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
    """Ask another user to approve the destruction of a key, or confirm that user's request and use it up.

    Returns:
        The request that waits; ``None`` if the key may be destroyed now, because the settings demand no
        second user or this call confirmed another user's request.
    """
    if TwoPeople.DESTROY_KEY not in settings.compliance.two_people:
        return None
    arguments = json.dumps(sorted(detail.items())).encode()
    request = ApprovalRequest(
        action=TwoPeople.DESTROY_KEY.value,
        arguments_sha256=sha256(arguments).digest(),
        event=_event(AuditAction.KEY_DESTROYED, reason, detail),
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
