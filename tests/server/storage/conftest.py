from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.storage.engine import open_engine
from server.storage.repository import CheckRepository
from server.storage.schema import prepare_database


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'data' / 'checks.db'}"


@pytest_asyncio.fixture
async def repository(url: str) -> AsyncIterator[CheckRepository]:
    await prepare_database(url)
    engine = open_engine(url)
    yield CheckRepository(engine)
    await engine.dispose()
