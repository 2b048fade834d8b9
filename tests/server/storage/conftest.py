from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.engine import open_engine
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.schema import upgrade
from tests.server.postgres import PostgresServer


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'data' / 'checks.db'}"


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """An empty database of its own."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest_asyncio.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    """Over a database of either kind that has its tables and nothing in them."""
    await upgrade(url)
    engine = open_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
def repository(engine: AsyncEngine) -> CheckRepository:
    return CheckRepository(engine)


@pytest.fixture
def retention(engine: AsyncEngine) -> RetentionRepository:
    return RetentionRepository(engine)
