"""The database engines, with the settings that make SQLite and PostgreSQL durable.

SQLite: with ``journal_mode=WAL`` and ``synchronous=FULL``, a committed transaction is on the disk before the
commit returns (https://www.sqlite.org/pragma.html#pragma_synchronous). Acknowledged data survives a killed
process and a power failure. ``secure_delete`` overwrites deleted data, because evidence is destroyed by
deleting its wrapped key.

PostgreSQL, directly or through a pooler in session or transaction mode, such as PgBouncer: then a connection
of ours has another backend in each transaction, and nothing outlives one. ``synchronous_commit`` is never off
(https://www.postgresql.org/docs/current/runtime-config-wal.html). The operator decides on ``fsync`` and on
waiting for standbys. Transactions are READ COMMITTED, which the row locks of ``server.storage.check_rows``
are made for. Deleted data stays in the table's file until a vacuum and a later row reuse its place, and in
the write-ahead log and backups for as long as these are kept. A wrapped key is destroyed for good when these
copies, or the key that wrapped it, no longer exist.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from formats.extras import missing_extra
from server.base.private_files import make_private_file, make_private_folder, tighten
from server.storage.errors import StorageUnavailable

_READING = "facegate_reading"
_COMMITS_EARLY = "facegate_commits_early"
_BESIDE = ("-wal", "-shm", "-journal")
PATIENCE_SECONDS = 10
_KEPT_CONNECTIONS = 5
MOST_CONNECTIONS = 15
"""Connections that one server opens to PostgreSQL at most."""
_OPTIONS = (
    "the options in the database URL cannot be used; "
    "use options of the driver's connect function, such as ssl=require, or ssl=verify-full "
    "with the authority's certificate in the file that PGSSLROOTCERT names"
)
# The drivers that the storage is tested with, for each database.
_DRIVERS = {"sqlite": "", "postgresql": "asyncpg"}
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"busy_timeout={PATIENCE_SECONDS * 1000}",
)


def open_sqlite(url: str, *, make: bool = False) -> Engine:
    """Return an engine for a SQLite file without connecting.

    Args:
        url: ``sqlite:///data/a.db``.
        make: Whether a file that does not exist is made, and its folder, for the owner only.

    Raises:
        StorageUnavailable: The URL names no file or another driver, the file does not exist, or it cannot be
            created.
    """
    parsed = _parse(url)
    _require_driver(parsed)
    file = database_file(url)
    if file is None:
        raise StorageUnavailable("a SQLite database needs a file: sqlite:///path/to/file.db")
    if not make and not os.path.exists(file):  # noqa: PTH110 - raises nothing
        raise StorageUnavailable(
            f"no database was found at {file.absolute()}: name the settings file of its server; facegate db "
            "upgrade makes a new one"
        )
    try:
        make_private_folder(file.parent)
        # SQLite creates its log and the log's index with the permissions of the database file.
        make_private_file(file)
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                tighten(file.with_name(file.name + suffix))
    except OSError as error:
        raise StorageUnavailable(
            f"the database's folder or file cannot be created: {error.strerror}"
        ) from error
    with _usable(parsed):
        engine = create_engine(parsed, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def open_postgresql(url: str, *, patient: bool = False) -> AsyncEngine:
    """Return an engine for PostgreSQL without connecting.

    Args:
        url: ``postgresql+asyncpg://user:password@host/db``.
        patient: Whether statements have no time limit; otherwise each has ``PATIENCE_SECONDS``.

    Raises:
        StorageUnavailable: The URL is malformed or names another database, or its driver is not installed.
    """
    parsed = _parse(url)
    _require_driver(parsed)
    with _usable(parsed):
        engine = create_async_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=_KEPT_CONNECTIONS,
            max_overflow=MOST_CONNECTIONS - _KEPT_CONNECTIONS,
            isolation_level="READ COMMITTED",
            connect_args={
                "timeout": PATIENCE_SECONDS,
                "command_timeout": None if patient else PATIENCE_SECONDS,
            },
        )
    event.listen(engine.sync_engine, "do_connect", _Connector())
    event.listen(engine.sync_engine, "connect", _prepare_postgresql)
    event.listen(engine.sync_engine, "begin", _begin_postgresql)
    return engine


def reading(engine: Engine) -> Engine:
    """Return the same SQLite engine for transactions that only read; they do not wait for writers."""
    return engine.execution_options(**{_READING: True})


def is_sqlite(url: str) -> bool:
    """Return whether ``url`` names a SQLite database."""
    return _parse(url).get_backend_name() == "sqlite"


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite database; None for an in-memory database and for other databases."""
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
            "the database URL is malformed; expected for example sqlite:///data/facegate.db"
        ) from error


def _require_driver(url: URL) -> None:
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise StorageUnavailable(
            f"the database URL names {url.get_backend_name()}; "
            "write sqlite:// or postgresql+asyncpg:// instead"
        )
    # Without a driver in the URL, SQLAlchemy chooses a PostgreSQL driver that blocks the event loop.
    _, _, named = url.drivername.partition("+")
    if named != driver:
        wanted = f"{url.get_backend_name()}+{driver}" if driver else url.get_backend_name()
        raise StorageUnavailable(f"the database URL begins with {url.drivername}; write {wanted}:// instead")


@contextmanager
def _usable(url: URL) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise StorageUnavailable(missing_extra(f"the database {url.drivername}", "postgres")) from error
    except SQLAlchemyError as error:
        raise StorageUnavailable(_OPTIONS) from error


class _Connector:
    """Connects an engine to PostgreSQL; its first connection learns whether a pooler is in between."""

    _UNNAMED: Final = {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": str,
    }
    """Options with which nothing is kept in a backend after a transaction; each statement is parsed anew."""

    def __init__(self) -> None:
        self._pooled: bool | None = None

    def __call__(self, dialect: Dialect, _record: object, args: Any, options: Any) -> Any:
        if self._pooled is None:
            connection = _connect_postgresql(dialect, args, options | self._UNNAMED)
            driver = connection.driver_connection
            backend = await_only(driver.fetchval("SELECT pg_backend_pid()"))
            # A pooler makes up the number that it states when a client connects.
            self._pooled = backend != driver.get_server_pid()
            if self._pooled:
                return connection
            await_only(driver.close())
        return _connect_postgresql(dialect, args, options | (self._UNNAMED if self._pooled else {}))


def _connect_postgresql(dialect: Dialect, args: Any, options: Any) -> Any:
    # The options after the URL's "?" become arguments of the driver, which raises these errors.
    try:
        return dialect.connect(*args, **options)
    except OSError:
        # An invalid certificate is an OSError and a ValueError; it is not an error of the options.
        raise
    except (TypeError, ValueError, dialect.loaded_dbapi.InterfaceError) as error:
        raise StorageUnavailable(_OPTIONS) from error


def _prepare_postgresql(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT current_setting('synchronous_commit')")
    record.info[_COMMITS_EARLY] = cursor.fetchone()[0] == "off"
    cursor.close()
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    # The operator may choose another setting than "on"; only "off" is replaced.
    if connection.info[_COMMITS_EARLY]:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = 'on'")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself; `_begin_sqlite` begins each one.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer acquires the lock at once, so that it waits for other writers (busy_timeout). Otherwise it
    # would fail when it upgrades a read that another writer has made stale.
    only_reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def insert_unless_there(connection: Connection, table: Table, values: dict[str, object]) -> bool:
    """Insert a row, unless its key exists already; return whether it inserted one."""
    if connection.dialect.name == "sqlite":
        return connection.execute(sqlite.insert(table).values(values).on_conflict_do_nothing()).rowcount == 1
    return connection.execute(postgresql.insert(table).values(values).on_conflict_do_nothing()).rowcount == 1
