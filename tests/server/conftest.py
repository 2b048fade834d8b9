import os
from collections.abc import Iterator

import pytest

from tests.server.databases import PostgresServer, postgres_server
from tests.server.live_fixtures import live, log, scene, temporary

__all__ = ["live", "log", "postgres", "scene", "temporary"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; its programs, such as ``pg_dump``, come first in the PATH."""
    with postgres_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
        yield server
