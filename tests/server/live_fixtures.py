"""Fixtures over ``tests.server.live``, which the conftest of ``tests/server`` imports."""

import asyncio
import io
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.configuration.settings import LogLevel, LogSettings
from server.telemetry.logging import configure_logging
from tests.logs import log_plainly
from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.raw_device import RawDevice, opened
from tests.server.refusals import refusal_of


async def good_check(live: LiveServer) -> None:
    """A whole check that succeeds."""
    check_id, _, stream = await opened(live)
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    answer = await live.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS


async def short_check(live: LiveServer) -> None:
    """The shortest check that is decided: its transcript is broken."""
    check_id, _, stream = await opened(live)
    await stream.begin()
    await stream.send(stream.end(frame_count=1))
    refusal = await stream.refusal()
    assert refusal.reason == "ATTEMPT_END_INVALID"
    answer = await live.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE


async def still_answers(live: LiveServer) -> None:
    """One cheap call for each listener gets the expected answer; the second reads the storage."""
    nobodys = service_pb2.UploadTrustedImageResponse(check_id=str(uuid4()), scan_token="A" * 71)
    assert (await RawDevice(live.device, nobodys).refusal()).reason == "TOKEN_INVALID"
    assert (await refusal_of(live.finish(nobodys.check_id))).reason == "CHECK_NOT_FOUND"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder for temporary files of this process and its children."""
    folder = tmp_path_factory.mktemp("temporary")
    before, before_dir = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), str(folder)
    yield folder
    tempfile.tempdir = before_dir
    if before is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = before


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """One server for every test of a run; at its end it still serves a broken check and a good one."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"))) as server:
        await good_check(server)
        yield server
        await short_check(server)
        await good_check(server)


@pytest_asyncio.fixture(loop_scope="session")
async def scene(live: LiveServer) -> AsyncIterator[LiveServer]:
    """The run's server; after the test no state is left, and both its listeners answer."""
    await live.decoders_ready()
    # The server closes idle connections; without them the count would be too low for the test.
    await asyncio.gather(live.device_channel.channel_ready(), live.service_channel.channel_ready())
    before = live.traces()
    yield live
    await live.settled(before)
    assert await live.orphans() == set()
    await still_answers(live)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All log lines, down to debug."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(LogSettings(level=LogLevel.DEBUG), stream=stream)
    yield stream
    log_plainly()
    root.handlers = handlers
    root.setLevel(level)
