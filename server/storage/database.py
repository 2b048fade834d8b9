"""The database. Each transaction is one synchronous function of a connection, durable when the call returns.

On SQLite, one thread runs a transaction from its beginning to its end. With an asyncio driver, one decision
would change threads about thirty times, and wait each time for Python's lock while other scans compute
(ADR 10). A single thread writes, so that writers of this process queue instead of polling SQLite's lock; a
few threads read.
"""

import asyncio
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage import engine as engines
from server.storage.errors import RowTaken, StorageUnavailable, loggable_error, unavailable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Owner = TypeVar("Owner", bound="Repository")

# The event loop holds only weak references to tasks.
_running: set[asyncio.Task[Any]] = set()
_READERS = 4
_CHECKPOINT_PATIENCE_MS = 500


class Database(ABC):
    """Runs transactions. Created by ``open_database``.

    Every method may raise ``StorageUnavailable`` and the exceptions of ``work``; then nothing was changed.
    """

    def __init__(self, *, failed: Callable[[str], None], expect: Callable[[Connection], None]) -> None:
        """Set the function that counts failed transactions, and the test at the beginning of each one.

        Args:
            failed: Is given ``read`` or ``write``.
            expect: Raises an exception if the database must not be used.
        """
        self._failed = failed
        self._expect = expect

    async def write(
        self,
        work: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Run ``work`` in a transaction and return its result once all changes are durable.

        Args:
            work: Gets the connection and the other arguments. It may run on another thread.
            *args: Arguments of ``work``.
            **kwargs: Keyword arguments of ``work``.
        """
        with self._translated_errors("write"):
            return await self._write(self._expecting(work, *args, **kwargs))

    async def read(
        self,
        work: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return the result of ``work``, which only reads. Readers do not wait for writers.

        Args:
            work: Gets the connection and the other arguments. It may run on another thread.
            *args: Arguments of ``work``.
            **kwargs: Keyword arguments of ``work``.
        """
        with self._translated_errors("read"):
            return await self._read(self._expecting(work, *args, **kwargs))

    async def forget_overwritten(self) -> bool:
        """Remove overwritten data, such as an erased wrapped key, from SQLite's write-ahead log.

        Returns:
            Whether the log holds no such data any more. A reader with an older view of the file, such as a
            running backup, keeps the log; then this must be called again.
        """
        return True

    @abstractmethod
    async def close(self) -> None:
        """Wait for running transactions and close the connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _expecting(
        self,
        work: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Callable[[Connection], Result]:
        def expected(connection: Connection) -> Result:
            self._expect(connection)
            return work(connection, *args, **kwargs)

        return expected

    @contextmanager
    def _translated_errors(self, operation: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            translated = unavailable("the database failed", error)
            if not isinstance(translated, RowTaken):
                self._failed(operation)
            raise translated from loggable_error(error)

    @abstractmethod
    async def _write(self, work: Callable[[Connection], Result]) -> Result: ...

    @abstractmethod
    async def _read(self, work: Callable[[Connection], Result]) -> Result: ...


def open_database(
    url: str,
    *,
    make: bool = False,
    patient: bool = False,
    failed: Callable[[str], None] = lambda _operation: None,
    expect: Callable[[Connection], None] = lambda _connection: None,
) -> Database:
    """Open a database without connecting.

    Args:
        url: ``sqlite:///data/a.db`` or ``postgresql+asyncpg://user:password@host/db``.
        make: Whether a SQLite file that does not exist is made, empty, and its folder.
        patient: Whether statements have no time limit, as for migrations. Otherwise PostgreSQL has 10 s for
            each statement, and SQLite waits 10 s for its write lock.
        failed: Called with ``read`` or ``write`` when the database fails.
        expect: Called at the beginning of each transaction; raises an exception if the database must not be
            used.

    Raises:
        StorageUnavailable: The URL is malformed or names another database, its driver is not installed, the
            SQLite file does not exist, or its folder cannot be created.
    """
    if engines.is_sqlite(url):
        return _Sqlite(engines.open_sqlite(url, make=make), failed=failed, expect=expect)
    return _Postgresql(engines.open_postgresql(url, patient=patient), failed=failed, expect=expect)


def uncancelled(
    work: Callable[Arguments, Coroutine[Any, Any, Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    """Decorate a coroutine function so that it runs to its end even if its caller is cancelled.

    A caller is cancelled, for example, when a device disconnects during a stream. A driver that is
    interrupted in a transaction may keep the database's write lock until its connection is collected, and all
    other writers wait. The caller still gets its cancellation, after the work has ended.
    """

    @wraps(work)
    async def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        task = asyncio.ensure_future(work(*args, **kwargs))
        _running.add(task)
        task.add_done_callback(_finished)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                await asyncio.wait({task})
            raise

    return run


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        # Retrieving the exception keeps asyncio from logging it as never retrieved.
        task.exception()


class Repository:
    """Calls on a part of the database. Each is a method that ``reads`` or ``writes`` decorates.

    Every call may raise ``StorageUnavailable``.
    """

    def __init__(self, database: Database) -> None:
        """Initialise the repository over ``database``."""
        self._database = database


def reads(
    work: Callable[Concatenate[Owner, Connection, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Coroutine[Any, Any, Result]]:
    """Decorate a method of a repository that only reads, as one transaction; see ``Database.read``.

    The method gets the connection, its caller awaits it without. It finishes even if its caller is cancelled.
    """

    @wraps(work)
    @uncancelled
    async def call(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return await self._database.read(partial(work, self), *args, **kwargs)

    return call


def writes(
    work: Callable[Concatenate[Owner, Connection, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Coroutine[Any, Any, Result]]:
    """Decorate a method of a repository that writes, as one transaction; see ``Database.write``.

    The method gets the connection, its caller awaits it without. It finishes even if its caller is cancelled.
    """

    @wraps(work)
    @uncancelled
    async def call(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return await self._database.write(partial(work, self), *args, **kwargs)

    return call


def find_all(connection: Connection, query: Executable, kind: Callable[..., Result]) -> tuple[Result, ...]:
    """Return the rows of a query as objects of a class, whose fields have the names of the columns."""
    return tuple(kind(**row) for row in connection.execute(query).mappings())


def find_one(connection: Connection, query: Executable, kind: Callable[..., Result]) -> Result | None:
    """Return the only row of a query; see ``find_all``. None if there is none."""
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else kind(**row)


def count_changed(connection: Connection, *statements: Executable) -> int:
    """Execute statements, and return the number of rows that they changed."""
    return sum(connection.execute(statement).rowcount for statement in statements)


class _Sqlite(Database):
    def __init__(
        self, engine: Engine, *, failed: Callable[[str], None], expect: Callable[[Connection], None]
    ) -> None:
        super().__init__(failed=failed, expect=expect)
        self._engine = engine
        self._reader = engines.reading(engine)
        self._writes = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facegate-writes")
        self._reads = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="facegate-reads")

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        asked = time.monotonic()

        def transact() -> Result:
            if time.monotonic() - asked > engines.PATIENCE_SECONDS:
                # Without this, each queued writer would again wait that long for a lock of another process.
                raise NoFreeConnection("too many writers are waiting")
            with self._engine.begin() as connection:
                return work(connection)

        return await self._on(self._writes, transact)

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        def transact() -> Result:
            with self._reader.connect() as connection:
                return work(connection)

        return await self._on(self._reads, transact)

    async def forget_overwritten(self) -> bool:
        with self._translated_errors("write"):
            return await self._on(self._reads, partial(_truncate_log, self._reader))

    async def close(self) -> None:
        for executor in (self._writes, self._reads):
            await asyncio.to_thread(executor.shutdown)
        self._engine.dispose()

    @staticmethod
    async def _on(executor: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        try:
            future = executor.submit(copy_context().run, work)
        except RuntimeError as error:
            raise StorageUnavailable("the database is closed") from error
        return await asyncio.wrap_future(future)


class _Postgresql(Database):
    def __init__(
        self, engine: AsyncEngine, *, failed: Callable[[str], None], expect: Callable[[Connection], None]
    ) -> None:
        super().__init__(failed=failed, expect=expect)
        self._engine = engine

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


def _truncate_log(engine: Engine) -> bool:
    # The driver's own connection is used because a checkpoint must not run in a transaction.
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        # Writers wait while the checkpoint waits for readers, so it must not wait as long as a backup takes.
        driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_PATIENCE_MS}")
        try:
            # https://www.sqlite.org/pragma.html#pragma_wal_checkpoint: the first column is 1 if the
            # checkpoint was kept from completing.
            busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={patience}")
    return bool(busy == 0)
