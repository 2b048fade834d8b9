"""When a step of the flash counts as sent: when the transport gets it, whatever happens before and after."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from facegate.v1 import scan_pb2

from attempt import Action, FlashRun, Reveal
from server.scan.attempt import AttemptRun
from server.scan.handshake import Send
from server.scan.messages import Outbound
from tests.server.live import LiveServer, over_web, pictures, serving, settings_for
from tests.server.raw_device import RawDevice, RawStream

WAIT_SECONDS = 0.4


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with serving(settings_for(tmp_path_factory.mktemp("server"), web=True)) as live:
        yield live


async def _until_lead_in(stream: RawStream) -> None:
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    for picture in pictures(count=60):
        while not stream.credit:
            await stream.read()
        if any(one.WhichOneof("message") == "flash_step" for one in stream.seen):
            return
        await stream.send(stream.frame(picture))
        stream.credit -= 1
    raise AssertionError("no step was revealed")


@pytest.mark.parametrize("over", ["grpc", "web"])
async def test_neither_the_servers_queue_nor_the_wait_for_the_device_changes_it(
    paged: LiveServer, monkeypatch: pytest.MonkeyPatch, over: str
) -> None:
    """The server is busy after the draw, and the write waits for the device, which does not read."""
    drawn: list[float] = []
    handed: list[float] = []
    written: list[float] = []
    sent: list[float] = []
    done = asyncio.Event()
    do = AttemptRun._do

    async def busy(run: AttemptRun, actions: tuple[Action, ...], send: Send) -> None:
        async def slow(message: Outbound) -> None:
            handed.append(time.monotonic())
            await send(message)
            await asyncio.sleep(WAIT_SECONDS)
            written.append(time.monotonic())

        if not (actions and isinstance(actions[0], Reveal)):
            await do(run, actions, send)
            return
        drawn.append(time.monotonic())
        await asyncio.sleep(WAIT_SECONDS)
        await do(run, actions, slow)
        assert isinstance(run.challenge, FlashRun)
        sent.append(run.challenge.evidence.steps[-1].at)
        done.set()

    monkeypatch.setattr(AttemptRun, "_do", busy)
    upload = await paged.upload(mode=scan_pb2.MODE_DYNAMIC)
    async with over_web(paged) as web:
        stub = paged.device if over == "grpc" else web.device
        stream = await RawDevice(stub, upload).open(capabilities=[scan_pb2.CAPABILITY_FLASH])
        await _until_lead_in(stream)
        await asyncio.wait_for(done.wait(), 10)
        await stream.vanish()
    assert drawn[0] + WAIT_SECONDS <= sent[0] <= handed[0]
    assert handed[0] - sent[0] < WAIT_SECONDS / 2
    assert written[0] >= handed[0] + WAIT_SECONDS
