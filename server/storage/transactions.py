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

    async def forget_overwritten(self) -> None:
        """Removes what SQLite's log still holds of what was overwritten in the file, such as a wrapped key.

        Raises:
            StorageUnavailable: The database failed.
        """
        if self._engine.dialect.name != "sqlite":
            return
        async with self.read() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()


@asynccontextmanager
async def _typed(opening: AbstractAsyncContextManager[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
    try:
        async with opening as connection:
            yield connection
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unavailable("the database failed", error) from harmless(error)
