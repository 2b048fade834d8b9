"""The upgrade of the database schema to the revision that this version needs, or the test for it.

An empty database gets the tables of this version; another one is migrated to them.

A migration shuts out every older server, unless its module states ``expands = True``: it only adds what
older servers can ignore, such as a table, or a column that may be empty. The table ``schema_floor`` names the
oldest revision whose servers may still use the database. A server tests in each transaction
(``expect_usable``) whether that is one of its own revisions. A server that is shut out reads and writes
nothing any more.

From version 1.0.0 on, every migration expands; what it makes superfluous is removed ("contracted") by a
migration of a later version, which shuts out the servers that still need it.
"""

import asyncio
import fcntl
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, delete, func, insert, inspect, select

from server.base.private_files import make_private_file
from server.storage.database import Database, open_database
from server.storage.engine import database_file, is_sqlite
from server.storage.errors import SchemaOutdated, unavailable
from server.storage.tables import metadata, schema_floor

_NEWER = (
    "the database was upgraded by a newer version of the server, and this version may no longer use it; "
    "install that version or a newer one"
)
_CANDIDATE = (
    "a candidate of version 1.0.0 made the database, which this version cannot upgrade: start with an empty "
    "one, or install the version that made it"
)
# A number that no other lock in the same database uses: "facegate" in ASCII.
_UPGRADE_LOCK = int.from_bytes(b"facegate")
_MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def needed_revision() -> str:
    """Return the revision that this version of the server needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


async def current_revision(database: Database) -> str | None:
    """Return the revision of the database; None for an empty database.

    Raises:
        StorageUnavailable: The database does not answer.
    """
    return await database.read(
        lambda connection: MigrationContext.configure(connection).get_current_revision()
    )


async def upgrade(url: str) -> None:
    """Make the tables, or apply the missing migrations, in one transaction.

    Args:
        url: See ``server.storage.database.open_database``.

    Raises:
        SchemaOutdated: A newer version of the server created the database, or a candidate of version 1.0.0.
        StorageUnavailable: The database does not answer, or a migration failed; nothing was changed.
    """
    database = open_database(url, make=True, patient=True)
    try:
        async with _exclusive_upgrade(url):
            await database.write(_upgrade)
    except CommandError as error:
        raise SchemaOutdated(_NEWER) from error
    finally:
        await database.close()


def expect_usable(connection: Connection) -> None:
    """Test whether this version may use a database that was at its revision, or a newer one, at some time.

    Raises:
        SchemaOutdated: A newer version upgraded the database and shut this one out.
    """
    floor = connection.execute(select(schema_floor.c.revision)).scalar_one_or_none()
    if floor not in _revisions():
        raise SchemaOutdated(_NEWER)


async def expect_revision(database: Database) -> None:
    """Test whether this version may use a database.

    Raises:
        SchemaOutdated: The database is older than this version needs or of a candidate of 1.0.0, or a newer
            version shut this one out.
        StorageUnavailable: The database does not answer.
    """
    current, needed = await current_revision(database), needed_revision()
    if current is not None and current not in _revisions():
        await database.read(expect_usable)
    elif current != needed:
        raise SchemaOutdated(
            f"the database is at revision {current or 'none'}, this version needs {needed}: "
            "run facegate db upgrade"
        )
    else:
        await database.read(_expect_tables)


async def prepare_database(url: str) -> None:
    """Prepare the database at the start of a server: upgrade SQLite, and test other databases.

    During a roll-out, replicas of different versions share other databases, so the operator decides when to
    upgrade them: ``facegate db upgrade``.

    Args:
        url: See ``server.storage.database.open_database``.

    Raises:
        SchemaOutdated: The database is older than this version needs, or a newer version shut this one out.
        StorageUnavailable: The database does not answer.
    """
    database = open_database(url, make=True)
    try:
        current = await current_revision(database)
        if not is_sqlite(url) or (current is not None and current not in _revisions()):
            await expect_revision(database)
            return
    finally:
        await database.close()
    await upgrade(url)


@functools.cache
def _revisions() -> frozenset[str]:
    """Return the revisions that this version knows: its own and all before it."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # The lock is released with the transaction. Other processes wait here and then find nothing to do.
        connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
    config = _config()
    config.attributes["connection"] = connection
    if MigrationContext.configure(connection).get_current_revision() is None:
        metadata.create_all(connection, checkfirst=False)
        command.stamp(config, "head")
    else:
        command.upgrade(config, "head")
        _expect_tables(connection)
    floor = _floor(ScriptDirectory.from_config(config))
    if connection.execute(select(schema_floor.c.revision)).scalar_one_or_none() != floor:
        connection.execute(delete(schema_floor))
        connection.execute(insert(schema_floor).values(revision=floor, probes=0))


def _expect_tables(connection: Connection) -> None:
    """Test whether a database at the newest revision has its tables: candidates named theirs the same."""
    found = inspect(connection).get_multi_columns()
    kept = {(table, column["name"]) for (_, table), columns in found.items() for column in columns}
    needed = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    if not needed <= kept:
        raise SchemaOutdated(_CANDIDATE)


def _floor(scripts: ScriptDirectory) -> str:
    """Return the newest revision whose migration does not only expand."""
    revisions = scripts.walk_revisions()
    return next(script.revision for script in revisions if not getattr(script.module, "expands", False))


@asynccontextmanager
async def _exclusive_upgrade(url: str) -> AsyncIterator[None]:
    """Keep other processes from upgrading the same SQLite file; a crash releases the lock."""
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
