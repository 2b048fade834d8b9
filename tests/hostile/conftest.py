"""A live server for the suites of this folder, whose temporary files lie in a folder of their own."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.hostile.storage import Storage
from tests.server.live import LiveServer, serving, settings_for
from tests.server.live_fixtures import good_check


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which this process, and what it starts, makes temporary files."""
    folder = tmp_path_factory.mktemp("temporary")
    before, before_dir = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), str(folder)
    yield folder
    tempfile.tempdir = before_dir
    if before is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = before


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server for a whole module; before and after its tests it serves a good check."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"))) as server:
        await good_check(server)
        yield server
        await good_check(server)


@pytest.fixture(scope="module")
def storage(live: LiveServer, temporary: Path) -> Storage:
    """A look at what the server keeps."""
    return Storage(live.settings.data_dir, temporary)
