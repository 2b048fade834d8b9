"""Fixtures for pulls."""

from collections.abc import AsyncIterator

import pytest

from cli.models.http_source import Patience
from tests.cli.models.builders import CONTENTS
from tests.cli.models.mirror_server import Mirror, mirror_server

HASTY = Patience(
    connect_seconds=5.0, stall_seconds=1.0, tries=4, pause_seconds=0.01, longest_pause_seconds=0.05
)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of these tests are on loopback, whatever proxies the environment sets."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("FACEGATE_MODELS_DIR", raising=False)


@pytest.fixture
def hasty() -> Patience:
    """Short time limits, so that tests are fast."""
    return HASTY


@pytest.fixture
async def mirror() -> AsyncIterator[Mirror]:
    """A server with the files of the simulated pack."""
    async with mirror_server(CONTENTS) as served:
        yield served
