"""The database engine, with what makes SQLite and PostgreSQL durable.

SQLite: with ``journal_mode=WAL`` and ``synchronous=FULL`` a committed transaction is on the disk before the
commit returns (https://www.sqlite.org/pragma.html#pragma_synchronous): what was acknowledged survives
a killed process and a lost power supply. ``secure_delete`` overwrites what is deleted, because
deleting a wrapped key is how evidence is destroyed.

PostgreSQL: ``synchronous_commit`` is never off
(https://www.postgresql.org/docs/current/runtime-config-wal.html); whether ``fsync`` is on, and whether
standbys are waited for, is the operator's. Transactions are READ COMMITTED, which the row locks of
``server.storage.statements`` are made for. What is deleted there stays in the table's file until a vacuum
and a later row reuse its place, and in the write-ahead log and backups as long as these are kept: a
wrapped key is destroyed for good when those are gone, or the key that wrapped it.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.storage.errors import StorageUnavailable

__all__ = ["database_file", "is_sqlite", "open_engine", "reading"]

_READING = "facegate_reading"
_PATIENCE_SECONDS = 10
_OPTIONS = (
    "the options in the database URL cannot be used; "
    "write those that the driver's connect function takes, such as ssl=require, or ssl=verify-full "
    "with the authority's certificate in the file that PGSSLROOTCERT names"
)
# The drivers that the storage is tested with, by database.
_DRIVERS = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"busy_timeout={_PATIENCE_SECONDS * 1000}",
)


def open_engine(url: str, *, patient: bool = False) -> AsyncEngine:
    """An engine for ``url``; the folder of a SQLite file is made, nothing is connected yet.

    Args:
        url: ``sqlite+aiosqlite:///data/a.db`` or ``postgresql+asyncpg://user:password@host/db``.
        patient: Whether a statement may take as long as it takes, as those of migrations may. Otherwise
            PostgreSQL has 10 s for each, as SQLite has for its write lock.

    Raises:
        StorageUnavailable: The URL cannot be understood or names another database, its driver is not
            installed, or the folder cannot be made.
    """
    parsed = _parse(url)
    _check_driver(parsed)
    if not is_sqlite(url):
        return _open_postgresql(parsed, None if patient else _PATIENCE_SECONDS)
    file = database_file(url)
    if file is None:
        raise StorageUnavailable("a SQLite database needs a file: sqlite+aiosqlite:///path/to/file.db")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageUnavailable(f"the folder of the database cannot be made: {error.strerror}") from error
    engine = _create(parsed)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that only read: on SQLite they wait for no writer."""
    return engine.execution_options(**{_READING: True})


def is_sqlite(url: str) -> bool:
    """Whether ``url`` names a SQLite database."""
    return _parse(url).get_backend_name() == "sqlite"


def database_file(url: str) -> Path | None:
    """The file of a SQLite database; None for one in memory and for other databases."""
    parsed = _parse(url)
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise StorageUnavailable(
            "the database URL is not one; expected for example sqlite+aiosqlite:///data/facegate.db"
        ) from error


def _check_driver(url: URL) -> None:
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise StorageUnavailable(
            f"the database URL names {url.get_backend_name()}; "
            "write sqlite+aiosqlite:// or postgresql+asyncpg:// in its place"
        )
    # Without a driver in the URL, SQLAlchemy takes one that cannot wait without blocking.
    _, _, named = url.drivername.partition("+")
    if named != driver:
        raise StorageUnavailable(
            f"the database URL begins with {url.drivername}; "
            f"write {url.get_backend_name()}+{driver}:// in its place"
        )


def _open_postgresql(url: URL, seconds: int | None) -> AsyncEngine:
    engine = _create(
        url,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={"timeout": _PATIENCE_SECONDS, "command_timeout": seconds},
    )
    event.listen(engine.sync_engine, "do_connect", _connect_postgresql)
    event.listen(engine.sync_engine, "connect", _prepare_postgresql)
    return engine


def _create(url: URL, **options: Any) -> AsyncEngine:
    try:
        return create_async_engine(url, hide_parameters=True, **options)
    except ImportError as error:
        raise StorageUnavailable(
            f"the database driver {url.drivername} is not installed: "
            "for PostgreSQL, install facegate with the extra postgres"
        ) from error
    except SQLAlchemyError as error:
        raise StorageUnavailable(_OPTIONS) from error


def _connect_postgresql(dialect: Dialect, _record: object, args: Any, options: Any) -> Any:
    # The options behind the URL's "?" become arguments of the driver: these are its words for wrong ones.
    try:
        return dialect.connect(*args, **options)
    except OSError:
        # A certificate that does not hold is a ValueError too.
        raise
    except (TypeError, ValueError, dialect.loaded_dbapi.InterfaceError) as error:
        raise StorageUnavailable(_OPTIONS) from error


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Stronger settings than "on" and "local" are the operator's to choose, and stay.
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.close()
    connection.commit()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: _begin_sqlite says how each one begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once, so that it waits for others (busy_timeout) instead of failing
    # when it upgrades a read that another writer has made stale.
    only_reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
