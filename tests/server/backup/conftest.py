from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.server.postgres import PostgresServer


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database for one test."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


@pytest_asyncio.fixture
async def other_postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of another empty database."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'checks.db'}"
