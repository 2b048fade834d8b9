"""The database engine, with the pragmas that make SQLite durable.

With ``journal_mode=WAL`` and ``synchronous=FULL`` a committed transaction is on the disk before the
commit returns (https://www.sqlite.org/pragma.html#pragma_synchronous): what was acknowledged survives
a killed process and a lost power supply. ``secure_delete`` overwrites what is deleted, because
deleting a wrapped key is how evidence is destroyed.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.storage.errors import StorageUnavailable

__all__ = ["database_file", "is_sqlite", "open_engine", "reading"]

_READING = "facegate_reading"
_BUSY_MILLISECONDS = 10_000
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"busy_timeout={_BUSY_MILLISECONDS}",
)


def open_engine(url: str) -> AsyncEngine:
    """An engine for ``url``; the folder of a SQLite file is made, nothing is connected yet.

    Args:
        url: A SQLAlchemy URL with an asynchronous driver, such as ``sqlite+aiosqlite:///data/a.db`` or
            ``postgresql+asyncpg://host/db``.

    Raises:
        StorageUnavailable: The URL cannot be understood, its driver is not installed, or the folder
            cannot be made.
    """
    parsed = _parse(url)
    if not is_sqlite(url):
        return _create(parsed, pool_pre_ping=True)
    file = database_file(url)
    if file is None:
        raise StorageUnavailable("a SQLite database needs a file: sqlite+aiosqlite:///path/to/file.db")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageUnavailable(f"the folder of the database cannot be made: {error.strerror}") from error
    engine = _create(parsed)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
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


def _create(url: URL, **options: Any) -> AsyncEngine:
    try:
        return create_async_engine(url, hide_parameters=True, **options)
    except (SQLAlchemyError, ImportError) as error:
        raise StorageUnavailable(
            f"the database driver {url.drivername} cannot be used: install it, or choose another in the URL"
        ) from error


def _prepare(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: _begin says how each one begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once, so that it waits for others (busy_timeout) instead of failing
    # when it upgrades a read that another writer has made stale.
    only_reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
