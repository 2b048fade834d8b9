"""The upgrade of the database schema to the revision that this version needs, or the test for it."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, func, select

from server.private_files import make_private_file
from server.storage.database import Database, open_database
from server.storage.engine import database_file, is_sqlite
from server.storage.errors import SchemaOutdated
from server.storage.failures import unavailable

__all__ = ["HashSubject", "current_revision", "needed_revision", "prepare_database", "upgrade"]

HashSubject = Callable[[str, str], str]
"""Hashes the subject reference of a scope, as ``MemoryKey.subject_hash``."""
_NEWER = "the database was created by a newer version of the server; install that version or a newer one"
# A number that no other lock in the same database uses: "facegate" in ASCII.
_UPGRADE_LOCK = int.from_bytes(b"facegate")
_MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def needed_revision() -> str:
    """Returns the revision that this version of the server needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:  # pragma: no cover - the package ships its migrations
        raise SchemaOutdated("this installation has no migrations; install it again")
    return head


async def current_revision(database: Database) -> str | None:
    """Returns the revision of the database; None for an empty database.

    Raises:
        StorageUnavailable: The database does not answer.
    """
    return await database.read(
        lambda connection: MigrationContext.configure(connection).get_current_revision()
    )


async def upgrade(url: str, *, hash_subject: HashSubject | None = None) -> None:
    """Applies the missing migrations in one transaction.

    Args:
        url: See ``server.storage.database.open_database``.
        hash_subject: Is called for rows that have subject references in clear, which they had before revision
            0008. Its exceptions are passed on, and nothing is changed.

    Raises:
        SchemaOutdated: A newer version of the server created the database, or it has references in clear and
            ``hash_subject`` is not given.
        StorageUnavailable: The database does not answer, or a migration failed; nothing was changed.
    """
    database = open_database(url, make=True, patient=True)
    try:
        async with _exclusive_upgrade(url):
            await database.write(_upgrade, hash_subject)
            # The older values would stay in SQLite's log for a while.
            await database.forget_overwritten()
    except CommandError as error:
        raise SchemaOutdated(_NEWER) from error
    finally:
        await database.close()


async def prepare_database(url: str, *, hash_subject: HashSubject | None = None) -> None:
    """Prepares the database at the start of a server: upgrades SQLite, and tests other databases.

    During a roll-out, replicas of different versions share other databases, so the operator decides when to
    upgrade them: ``facegate db upgrade``.

    Args:
        url: See ``server.storage.database.open_database``.
        hash_subject: See ``upgrade``.

    Raises:
        SchemaOutdated: The database is not at the revision that this version needs, or a newer version
            created it.
        StorageUnavailable: The database does not answer.
    """
    if is_sqlite(url):
        await upgrade(url, hash_subject=hash_subject)
        return
    database = open_database(url)
    try:
        current = await current_revision(database)
    finally:
        await database.close()
    needed = needed_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaOutdated(_NEWER)
    if current != needed:
        raise SchemaOutdated(
            f"the database is at revision {current or 'none'}, this version needs {needed}: "
            "run facegate db upgrade"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection, hash_subject: HashSubject | None) -> None:
    if connection.dialect.name == "postgresql":
        # The lock is released with the transaction. Other processes wait here and then find nothing to do.
        connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["hash_subject"] = hash_subject
    command.upgrade(config, "head")


@asynccontextmanager
async def _exclusive_upgrade(url: str) -> AsyncIterator[None]:
    """Keeps other processes from upgrading the same SQLite file; a crash releases the lock."""
    file = database_file(url)
    if file is None:
        yield
        return
    try:
        path = file.with_name(f"{file.name}.lock")
        make_private_file(path)
        lock = path.open("wb")
    except OSError as error:
        raise unavailable("the database cannot be upgraded", error) from error
    with lock:
        await asyncio.to_thread(partial(fcntl.flock, lock, fcntl.LOCK_EX))
        yield
