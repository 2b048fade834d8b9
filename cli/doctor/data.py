"""The data of a deployment: database, object store, their clocks, audit log and backups."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from cli.doctor.finding import Deployment, Finding, failure, fine, not_examined, warning
from server.audit import SERVER_TENANT, AuditAction, AuditEntry
from server.backup import key_names_sha256
from server.configuration.settings import Settings
from server.running.admin import object_store_probe
from server.running.audit_keeping import CHECKPOINT_INTERVAL
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.database import open_database
from server.storage.engine import MOST_CONNECTIONS, is_sqlite
from server.storage.errors import StorageError
from server.storage.objects import ObjectStore, folder_of, open_object_store
from server.storage.schema import current_revision, needed_revision

NOT_EXAMINED: Final = not_examined("DATABASE_NOT_EXAMINED", "the database cannot be used; see database")


async def examine_database(deployment: Deployment) -> list[Finding]:
    """Connect, compare the revision, and read the database's own settings."""
    settings = deployment.settings
    kind = "SQLite" if names_sqlite(settings) else "PostgreSQL"
    try:
        async with open_database(settings.database_url) as database:
            current, needed = await current_revision(database), needed_revision()
            if current != needed:
                return [
                    failure(
                        "MIGRATIONS_MISSING",
                        f"revision {current or 'none'}",
                        expected=f"revision {needed}",
                        remedy="facegate db upgrade",
                    )
                ]
            found = [fine("DATABASE_REACHABLE", f"{kind}, revision {current}")]
            if kind == "PostgreSQL":
                found += await database.read(_postgresql)
            return found
    except StorageError as error:
        return [
            failure(
                "DATABASE_UNREACHABLE",
                str(error),
                expected=f"a {kind} database that answers",
                remedy="correct storage.database_url or its server; the first start of a new deployment, or "
                "facegate db upgrade, makes a SQLite file",
            )
        ]


def names_sqlite(settings: Settings) -> bool:
    """Return whether the URL names SQLite; false for a malformed one."""
    try:
        return is_sqlite(settings.database_url)
    except StorageError:
        return False


def _postgresql(connection: Connection) -> list[Finding]:
    def shown(name: str) -> str:
        return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one())

    most = int(shown("max_connections")) - int(shown("superuser_reserved_connections"))
    used = connection.execute(
        text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    )
    free = most - int(used.scalar_one())
    found = [
        fine("CONNECTIONS_FREE", f"{free} of {most} connections are free")
        if free >= MOST_CONNECTIONS
        else warning(
            "CONNECTIONS_FEW",
            f"{free} of {most} connections are free",
            expected=f"{MOST_CONNECTIONS}, which one server may open",
            remedy="raise max_connections of the database, or run fewer servers",
        )
    ]
    found += [
        warning(
            "DATABASE_NOT_DURABLE",
            f"{name} is off",
            expected="on: a verdict must be durable before a caller sees it",
            remedy=f"set {name} = on in postgresql.conf",
        )
        for name in ("fsync", "full_page_writes")
        if shown(name) == "off"
    ]
    return found


_PREFIX = "probe"


def existing_objects(url: str) -> ObjectStore | None:
    """Return the store; ``None`` if it is a folder that does not exist, which opening would make."""
    folder: Path | None = folder_of(url)
    return open_object_store(url) if folder is None or folder.is_dir() else None


async def examine_objects(deployment: Deployment) -> list[Finding]:
    """Run the probe of ``/readyz`` under a separate name, below ``probe/``."""
    url = deployment.settings.objects_url
    try:
        objects = existing_objects(url)
        if objects is None:
            return [
                failure(
                    "OBJECTS_MISSING",
                    f"the folder {url} does not exist",
                    expected="the folder of sealed images",
                    remedy="facegate restore objects, or correct storage.objects_url; the first start of a "
                    "new deployment makes it",
                )
            ]
        await object_store_probe(objects, name=f"doctor-{uuid.uuid4().hex}")()
    except (StorageError, OSError) as error:
        return [
            failure(
                "OBJECTS_UNUSABLE",
                str(error),
                expected="a store that puts, returns and deletes an object",
                remedy="correct storage.objects_url, the credentials in the environment, or the permissions",
            )
        ]
    return [fine("OBJECTS_WORK", f"an object below {_PREFIX}/ was stored, read and deleted")]


async def store_time(objects: ObjectStore) -> datetime | None:
    """Return the time of the store's clock, or ``None`` if the store does not list the probe object.

    Store a probe object, read the time that the store gave it, and delete it.
    """
    key = f"{_PREFIX}/doctor-{uuid.uuid4().hex}"
    await objects.put(key, b"facegate doctor")
    try:
        return next((i.modified for i in [i async for i in objects.list(_PREFIX)] if i.key == key), None)
    finally:
        await objects.delete(key)


_WARN: Final = timedelta(seconds=2)
_FAIL: Final = timedelta(seconds=30)
_SECONDS: Final = 0.3
_SLACK: Final = 0.05


async def examine_clock(deployment: Deployment) -> list[Finding]:
    """Compare clocks. SQLite and a folder are on this machine, so they have no other clock."""
    settings = deployment.settings
    found = [await _steady()]
    if not names_sqlite(settings):
        try:
            async with open_database(settings.database_url) as database:
                before = datetime.now(UTC)
                at = await database.read(lambda c: c.execute(text("SELECT clock_timestamp()")).scalar_one())
                found.append(compared("database", at, before=before, after=datetime.now(UTC)))
        except StorageError:
            found.append(NOT_EXAMINED)
    if folder_of(settings.objects_url) is None:
        try:
            objects = existing_objects(settings.objects_url)
            before = datetime.now(UTC)
            stored = None if objects is None else await store_time(objects)
            if stored is not None:
                # Stores keep whole seconds.
                found.append(
                    compared(
                        "object store", stored, before=before - timedelta(seconds=1), after=datetime.now(UTC)
                    )
                )
        except StorageError:
            found.append(not_examined("OBJECTS_NOT_EXAMINED", "the object store cannot be used; see objects"))
    return found


def compared(name: str, at: datetime, *, before: datetime, after: datetime) -> Finding:
    """Return the finding on another clock.

    Args:
        name: The owner of that clock, such as ``"database"``.
        at: The time of that clock, UTC.
        before: This machine's time before the request for ``at``, UTC.
        after: This machine's time after the answer, UTC.
    """
    apart = before - at if at < before else max(at - after, timedelta())
    seconds = f"{apart.total_seconds():.1f} s apart from the {name}'s clock"
    if apart <= _WARN:
        return fine("CLOCK_AGREES", seconds)
    expected = f"at most {_WARN.total_seconds():.0f} s"
    remedy = "synchronise the clocks of all machines (NTP, chrony)"
    if apart <= _FAIL:
        return warning("CLOCK_APART", seconds, expected=expected, remedy=remedy)
    return failure("CLOCK_WRONG", seconds, expected=expected, remedy=remedy)


async def _steady() -> Finding:
    wall, steady = time.time(), time.monotonic()
    await asyncio.sleep(_SECONDS)
    drift = (time.time() - wall) - (time.monotonic() - steady)
    if abs(drift) > _SLACK:
        return warning(
            "CLOCK_JUMPS",
            f"the clock moved {drift:+.2f} s against the monotonic clock in {_SECONDS} s",
            expected="both advance alike",
            remedy="let NTP slew the clock instead of stepping it",
        )
    return fine("CLOCK_STEADY", f"moved {drift * 1000:+.1f} ms against the monotonic clock in {_SECONDS} s")


_PARTS: Final = ("database", "objects", "keys")
_HOUR: Final = timedelta(hours=1)
_LONG: Final = timedelta(days=1)


async def examine_audit(deployment: Deployment) -> list[Finding]:
    """Find the oldest entry that no checkpoint covers."""
    try:
        async with open_database(deployment.settings.database_url) as database:
            since = await AuditLog(database).uncovered_since()
    except StorageError:
        return [NOT_EXAMINED]
    if since is None:
        return [fine("AUDIT_COVERED", "a checkpoint covers every entry")]
    age = deployment.now - since
    found = f"entries since {since:%Y-%m-%d %H:%M} UTC have no checkpoint"
    if age <= 2 * CHECKPOINT_INTERVAL:
        return [fine("AUDIT_COVERED", f"{found}, {age / timedelta(minutes=1):.0f} minutes")]
    make = failure if age > max(_LONG, 2 * CHECKPOINT_INTERVAL) else warning
    return [
        make(
            "AUDIT_CHECKPOINT_OLD",
            found,
            expected=f"a checkpoint at least every {CHECKPOINT_INTERVAL / timedelta(minutes=1):.0f} minutes",
            remedy="start a server, which signs checkpoints; read its log for audit errors",
        )
    ]


async def examine_backup(deployment: Deployment) -> list[Finding]:
    """Find the newest backup of each part, which `facegate backup` records in the audit log."""
    found = []
    newest: dict[str, AuditEntry] = {}
    try:
        async with open_database(deployment.settings.database_url) as database:
            entries = await AuditReader(database).entries(
                SERVER_TENANT, chosen=AuditFilter(actions=(AuditAction.BACKUP_MADE.value,)), newest_first=True
            )
    except StorageError:
        return [NOT_EXAMINED]
    for entry in entries:
        newest.setdefault(entry.details.get("part", ""), entry)
    for part in _PARTS:
        expected = f"at most {deployment.max_backup_age / _HOUR:.0f} hours old"
        remedy = f"facegate backup {part} (cron); with other tools: --skip backup"
        if part not in newest:
            found.append(
                warning("BACKUP_MISSING", f"{part}: no backup is recorded", expected=expected, remedy=remedy)
            )
            continue
        age = deployment.now - newest[part].time
        text = f"{part}: {age / _HOUR:.1f} hours old"
        # Keys change only by a rotation, which the recorded backup has to follow.
        if part == "keys":
            names = await asyncio.to_thread(key_names_sha256, deployment.settings.key_folder)
            if newest[part].details.get("names_sha256") != names:
                found.append(
                    warning(
                        "BACKUP_OF_OTHER_KEYS",
                        f"{text}, and the key folder has other files now",
                        expected="a backup after each rotation, retirement and destruction of a key",
                        remedy=remedy,
                    )
                )
                continue
        elif age > deployment.max_backup_age:
            found.append(warning("BACKUP_OLD", text, expected=expected, remedy=remedy))
            continue
        found.append(fine("BACKUP_MADE", text))
    return found
