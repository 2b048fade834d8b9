from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from server.audit import CheckpointSigner
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.database import Database
from tests.server.databases import make_tables
from tests.server.postgres import PostgresServer
from tests.server.storage.audit.chains import TABLES


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
    emptied = f"SET LOCAL session_replication_role = replica; TRUNCATE {', '.join(TABLES)};"
    await postgres.execute(f"DO $$ BEGIN {emptied} END $$", shared_postgres_url)


@pytest.fixture(scope="module")
def signer() -> CheckpointSigner:
    return CheckpointSigner(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def log(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
def reader(database: Database) -> AuditReader:
    return AuditReader(database)
