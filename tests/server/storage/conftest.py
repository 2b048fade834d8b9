from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.storage.database import Database, open_database
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.tables import metadata
from tests.server.databases import PostgresServer, make_tables


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'checks.db'}"


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared_postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    url = await postgres.new_database()
    await make_tables(url)
    yield url
    await postgres.drop_database(url)


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer, shared_postgres_url: str) -> AsyncIterator[str]:
    """One database for all tests of this folder, emptied after each test, because creating one is slow."""
    yield shared_postgres_url
    # As a superuser: the audit log refuses it.
    emptied = f"SET LOCAL session_replication_role = replica; TRUNCATE {', '.join(metadata.tables)};"
    await postgres.execute(f"DO $$ BEGIN {emptied} END $$", shared_postgres_url)


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
