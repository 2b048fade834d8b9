from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.server.compliance.office import Office, open_office


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """One server for all tests of this folder; each works on checks of its own."""
    async with open_office(tmp_path_factory.mktemp("office")) as office:
        yield office


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def scanned(office: Office) -> str:
    """A check of a genuine person."""
    return await office.check("anna-1", scanned=True)
