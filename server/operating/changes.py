"""Changes that operators make, each recorded in the audit log.

A change of the key folder is made in the transaction that records it.

Without an entry, nothing changes. But files are not part of a transaction: if the process is killed between
the two, the files are changed and the entry is lost; the next server then logs that the files changed.
Therefore a change that cannot be undone has a separate entry, which is durable before the change.
"""

import getpass
import os
import platform
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection

from server.audit import SERVER_TENANT, Actor, AuditAction, AuditEvent, subject_hash
from server.configuration.settings import Settings
from server.domain.terms import reference_term
from server.keyring.key_files import open_key_files
from server.keyring.keys import read_memory_key
from server.storage.audit import append
from server.storage.database import Database, open_database
from server.storage.engine import database_file
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.retention import RetentionRepository
from server.storage.schema import expect_revision, prepare_database

Result = TypeVar("Result")


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


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:64]


def shell_event(action: AuditAction, reason: str, detail: Mapping[str, str]) -> AuditEvent:
    """Return the event of a change of the installation; details that are empty are left out."""
    return AuditEvent(
        tenant=SERVER_TENANT,
        action=action,
        actor=shell_actor(),
        purpose=reason,
        detail={name: value for name, value in detail.items() if value},
    )


@asynccontextmanager
async def existing_database(url: str, *, make: bool = False) -> AsyncIterator[Database]:
    """Open the database of a server, which must have the tables of this version.

    Args:
        make: Whether a SQLite file that does not exist is made.
    """
    file = database_file(url)
    if make and file is not None and not file.exists():
        await prepare_database(url)
    async with open_database(url) as database:
        await expect_revision(database)
        yield database


async def record_change(
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
    event = shell_event(action, reason, detail)

    def work(connection: Connection) -> Result:
        append(connection, event, now=datetime.now(UTC))
        return change(connection)

    make = action in {AuditAction.KEY_ROTATED, AuditAction.KEYS_ENCRYPTED}
    async with existing_database(database_url, make=make) as database:
        if announced is not None:
            await database.write(append, replace(event, action=announced), now=datetime.now(UTC))
        return await database.write(work)


async def forget_devices(settings: Settings, tenant: str, subject: str, *, reason: str) -> int:
    """Erase the stored data on a person's devices that no hold keeps; return the number of rows.

    Args:
        subject: The person's subject reference, not empty.
    """
    async with existing_database(settings.database_url) as database:
        key = read_memory_key(open_key_files(settings.key_folder, settings.keys))
        event = AuditEvent(
            tenant=tenant,
            action=AuditAction.DEVICES_FORGOTTEN,
            actor=shell_actor(),
            subject=subject_hash(key.tenant_key(tenant), subject),
            purpose=reason,
        )
        terms = [reference_term("subject", subject, tenant_key=each) for each in key.tenant_keys(tenant)]
        check_ids = await EvidenceRecordRepository(database).of_subject(tenant, terms, subject)
        return await RetentionRepository(database).forget_devices(
            tenant,
            subject,
            datetime.now(UTC),
            hashes=key.subject_hashes(tenant, subject),
            check_ids=check_ids,
            event=event,
        )
