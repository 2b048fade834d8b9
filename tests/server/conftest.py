import os
from collections.abc import Iterator
from typing import Any

import pytest

from server.edge.status import within_deadline
from tests.server.databases import PostgresServer, postgres_server
from tests.server.live_fixtures import live, log, scene, temporary

__all__ = ["live", "log", "postgres", "scene", "temporary"]


@pytest.fixture(scope="session", autouse=True)
def _long_calls() -> Iterator[None]:
    """A call may last 20 times as long: a busy machine may take half a minute for a portrait."""

    def within_longer(context: Any, most_seconds: float, **others: Any) -> Any:
        return within_deadline(context, 20 * most_seconds, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.edge.service_servicer.within_deadline", within_longer)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; its programs, such as ``pg_dump``, come first in the PATH."""
    with postgres_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
        yield server
