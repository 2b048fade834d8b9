"""Streams that open and send nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import aiohttp
import grpc
import pytest

from tests.server.floods.http2 import Connection
from tests.server.live import LiveServer, over_web, pictures, serving, settings_for
from tests.server.raw_device import RawDevice

SCAN = "/facegate.v1.VerificationService/ScanFace"
_SILENT = 8
_Over: TypeAlias = Callable[[], Awaitable[None]]


@asynccontextmanager
async def _silent_calls(live: LiveServer) -> AsyncIterator[_Over]:
    """Opens streams of gRPC and sends nothing; yields what waits for their end."""
    attacker = await Connection.dial(live.server.device_target)
    numbers = [await attacker.call(SCAN) for _ in range(_SILENT)]

    async def over() -> None:
        for number in numbers:
            await attacker.wait_over(number)

    yield over
    await attacker.close()


@asynccontextmanager
async def _silent_sockets(live: LiveServer) -> AsyncIterator[_Over]:
    """Opens WebSockets and sends nothing; yields what waits for their end."""
    async with over_web(live) as paged:
        assert paged.web is not None
        calls = [paged.web.ScanFace() for _ in range(_SILENT)]
        for call in calls:
            await call.socket()

        async def over() -> None:
            for call in calls:
                with pytest.raises(grpc.RpcError):
                    await call.read()
                assert call.close_reason == "STREAM_IDLE"

        yield over


@pytest.mark.parametrize("silent", [_silent_calls, _silent_sockets], ids=["grpc", "web"])
async def test_streams_without_a_token_keep_no_phone_out(
    tmp_path: Path, silent: Callable[[LiveServer], AbstractAsyncContextManager[_Over]]
) -> None:
    settings = settings_for(tmp_path, web=True, limits={"max_scans": 1})
    async with serving(settings) as live, silent(live) as over, over_web(live) as paged:
        forger = RawDevice(paged.device, await live.upload())
        forger.token = "A" * len(forger.token)
        forged = await forger.refusal()
        assert forged.reason == "TOKEN_INVALID"
        for number, stub in enumerate((live.device, paged.device), start=1):
            stream = await RawDevice(stub, await live.upload()).open()
            result = await stream.run_attempt(pictures())
            assert result.attempt == 1, number
            assert await stream.outcome() is None
            await live.unattended()
        # And those that sent nothing within a second are closed.
        async with asyncio.timeout(10):
            await over()
        text = await _metrics(live.server.admin_port)
        sent_away = 'facegate_streams_sent_away_total{awaited="scan_start",cause="too_late"}'
        assert f"{sent_away} {_SILENT}.0" in text
        assert 'facegate_streams_waiting{awaited="scan_start"} 0.0' in text


async def _metrics(port: int) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return await answer.text()
