"""Fixtures over ``tests.server.live``; folders that need them import them into their conftest."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2

from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.raw_device import RawDevice

__all__ = ["live", "scene"]


async def good_check(live: LiveServer) -> None:
    """A whole check that succeeds."""
    upload = await live.upload()
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    answer = await live.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS


async def short_check(live: LiveServer) -> None:
    """The shortest check that goes all the way: its transcript is broken."""
    upload = await live.upload()
    stream = await RawDevice(live.device, upload).open()
    await stream.begin()
    await stream.send(stream.end(frame_count=1))
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "ATTEMPT_END_INVALID"
    answer = await live.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server for a whole module; at its end it still serves a good check."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"))) as server:
        await good_check(server)
        yield server
        await good_check(server)


@pytest_asyncio.fixture(loop_scope="session")
async def scene(live: LiveServer) -> AsyncIterator[LiveServer]:
    """The module's server; after the test nothing is left behind, and it still serves."""
    await live.decoders_ready()
    before = live.traces()
    yield live
    await live.settled(before)
    assert await live.orphans() == set()
    await short_check(live)
