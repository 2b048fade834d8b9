"""Brings the database to the schema that this version needs, or says that somebody must."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.engine import database_file, is_sqlite, open_engine, reading
from server.storage.errors import SchemaOutdated
from server.storage.failures import harmless, unavailable

__all__ = ["current_revision", "needed_revision", "prepare_database", "upgrade"]

_NEWER = "the database was made by a newer version of the server; install that version or a newer one"
# Any number that nobody else locks in the same database: "facegate" in ASCII.
_UPGRADE_LOCK = int.from_bytes(b"facegate")
_MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def needed_revision() -> str:
    """The revision that this version of the server needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:  # pragma: no cover - the package ships its migrations
        raise SchemaOutdated("this installation has no migrations; install it again")
    return head


async def current_revision(engine: AsyncEngine) -> str | None:
    """The revision that the database is at; None for an empty one.

    Raises:
        StorageUnavailable: The database does not answer.
    """
    try:
        async with reading(engine).connect() as connection:
            return await connection.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_revision()
            )
    except (SQLAlchemyError, OSError) as error:
        raise unavailable("the database does not answer", error) from harmless(error)


async def upgrade(url: str) -> None:
    """Applies the migrations that the database does not have, in one transaction.

    Args:
        url: See ``server.storage.engine.open_engine``.

    Raises:
        SchemaOutdated: The database was made by a newer version of the server.
        StorageUnavailable: The database does not answer, or a migration failed; nothing was changed.
    """
    engine = open_engine(url, patient=True)
    try:
        async with _alone(url), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Freed with the transaction. Others wait here, and then find nothing left to do.
                await connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            await connection.run_sync(_upgrade)
    except CommandError as error:
        raise SchemaOutdated(_NEWER) from error
    except (SQLAlchemyError, OSError) as error:
        raise unavailable("the database cannot be upgraded", error) from harmless(error)
    finally:
        await engine.dispose()


async def prepare_database(url: str) -> None:
    """What a server does at its start: upgrades SQLite, and checks other databases.

    Other databases are shared by replicas of different versions while a new one is rolled out; when
    they change is the operator's decision: ``facegate db upgrade``.

    Raises:
        SchemaOutdated: The database is not at the revision that this version needs, or was made by a newer
            version.
        StorageUnavailable: The database does not answer.
    """
    if is_sqlite(url):
        await upgrade(url)
        return
    engine = open_engine(url)
    try:
        current = await current_revision(engine)
    finally:
        await engine.dispose()
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


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """Keeps other processes from upgrading the same SQLite file; a crash frees the lock."""
    file = database_file(url)
    if file is None:
        yield
        return
    with file.with_name(f"{file.name}.lock").open("wb") as lock:
        await asyncio.to_thread(partial(fcntl.flock, lock, fcntl.LOCK_EX))
        yield
