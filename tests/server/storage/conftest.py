from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.storage.database import Database, open_database
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.databases import PostgresServer, make_tables


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'checks.db'}"


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database for one test."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty SQLite or, in the slow suite, PostgreSQL database."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A repository over an empty SQLite or PostgreSQL database with its tables."""
    await make_tables(url)
    database = open_database(url)
    yield database
    await database.close()


@pytest.fixture
def repository(database: Database) -> CheckRepository:
    return CheckRepository(database)


@pytest.fixture
def records(database: Database) -> EvidenceRecordRepository:
    return EvidenceRecordRepository(database)


@pytest.fixture
def retention(database: Database) -> RetentionRepository:
    return RetentionRepository(database)
