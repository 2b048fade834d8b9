from collections.abc import Iterator

import pytest

from tests.server.postgres import PostgresServer, postgres_server, why_none


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; skips, with a reason, where none can be started."""
    if reason := why_none():
        pytest.skip(reason)
    with postgres_server() as server:
        yield server
