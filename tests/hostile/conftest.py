"""A live server for the suites of this folder, with a separate folder for its temporary files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.hostile.storage import Storage
from tests.server.live import LiveServer, serving, settings_for
from tests.server.live_fixtures import good_check, temporary

__all__ = ["live", "storage", "temporary"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server for a whole module; before and after its tests it serves a good check."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"), web=True)) as server:
        await good_check(server)
        yield server
        await good_check(server)


@pytest.fixture(scope="module")
def storage(live: LiveServer, temporary: Path) -> Storage:
    """Access to the state that the server keeps."""
    return Storage(live.settings.data_dir, temporary)
