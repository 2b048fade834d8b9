from collections.abc import Iterator

import pytest

from tests.server.live_fixtures import live, log, scene, temporary
from tests.server.postgres import PostgresServer, postgres_server

__all__ = ["live", "log", "postgres", "scene", "temporary"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as server:
        yield server
