from collections.abc import AsyncIterator

import pytest_asyncio

from server.storage.schema import upgrade
from server.storage.tables import metadata
from tests.server.postgres import PostgresServer


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared_postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    url = await postgres.new_database()
    await upgrade(url)
    yield url
    await postgres.drop_database(url)


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer, shared_postgres_url: str) -> AsyncIterator[str]:
    """One database for all tests of this folder, emptied after each test, because creating one is slow."""
    yield shared_postgres_url
    # The audit log refuses that, and these tests write none.
    tables = (name for name in metadata.tables if not name.startswith("audit_"))
    await postgres.execute(f"TRUNCATE {', '.join(tables)}", shared_postgres_url)
