"""Transactions over the engine; what fails in them leaves as ``StorageUnavailable``."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import reading
from server.storage.failures import harmless, unavailable

__all__ = ["Transactions"]

_PATIENCE_MS = 500


class Transactions:
    """Opens transactions that write, and transactions that only read."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Works over ``engine``; see ``server.storage.engine.open_engine``."""
        self._engine = engine
        self._reader = reading(engine)

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Commits at the end of the block, and changes nothing where the block fails.

        Raises:
            StorageUnavailable: The database failed.
        """
        return _typed(self._engine.begin())

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Waits for no writer.

        Raises:
            StorageUnavailable: The database failed.
        """
        return _typed(self._reader.connect())

    async def forget_overwritten(self) -> bool:
        """Removes what SQLite's log still holds of what was overwritten in the file, such as a wrapped key.

        Returns:
            Whether nothing is left of it. A reader with an older view of the file, such as a running backup,
            keeps the log: then it has to be asked again.

        Raises:
            StorageUnavailable: The database failed.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        async with self.read() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            patience = (await _row(driver, "PRAGMA busy_timeout"))[0]
            # Writers wait while the log waits for its readers: not for as long as a backup takes.
            await _row(driver, f"PRAGMA busy_timeout={_PATIENCE_MS}")
            try:
                # https://www.sqlite.org/pragma.html#pragma_wal_checkpoint: the first of the row is 1 where
                # the checkpoint was kept from completing.
                busy = int((await _row(driver, "PRAGMA wal_checkpoint(TRUNCATE)"))[0])
            finally:
                await _row(driver, f"PRAGMA busy_timeout={patience}")
            return busy == 0


async def _row(driver: Any, pragma: str) -> Any:
    cursor = await driver.execute(pragma)
    try:
        return await cursor.fetchone()
    finally:
        await cursor.close()


@asynccontextmanager
async def _typed(opening: AbstractAsyncContextManager[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
    try:
        async with opening as connection:
            yield connection
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unavailable("the database failed", error) from harmless(error)
