from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.storage.engine import open_engine
from server.storage.repository import CheckRepository
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
async def repository(url: str) -> AsyncIterator[CheckRepository]:
    await upgrade(url)
    engine = open_engine(url)
    yield CheckRepository(engine)
    await engine.dispose()
