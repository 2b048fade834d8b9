from collections.abc import Iterator

import pytest

from tests.server.live_fixtures import live, scene, temporary
from tests.server.postgres import PostgresServer, postgres_server

__all__ = ["live", "postgres", "scene", "temporary"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as server:
        yield server
