"""Streams that open and send nothing."""

import asyncio
from pathlib import Path

import aiohttp

from tests.server.floods.http2 import Connection
from tests.server.live import pictures, serving, settings_for
from tests.server.raw_device import RawDevice

SCAN = "/facegate.v1.VerificationService/ScanFace"


async def test_streams_without_a_token_keep_no_phone_out(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, limits={"max_scans": 1})
    async with serving(settings) as live:
        attacker = await Connection.dial(live.server.device_target)
        silent = [await attacker.call(SCAN) for _ in range(8)]
        forger = RawDevice(live.device, await live.upload())
        forger.token = "A" * len(forger.token)
        forged = await forger.refusal()
        device = RawDevice(live.device, await live.upload())
        stream = await device.open()
        result = await stream.run_attempt(pictures())
        assert result.attempt == 1
        assert forged.reason == "TOKEN_INVALID"
        # And those that sent nothing within a second are closed.
        async with asyncio.timeout(10):
            for number in silent:
                await attacker.wait_over(number)
        text = await _metrics(live.server.admin_port)
        assert 'facegate_streams_sent_away_total{awaited="scan_start",cause="too_late"} 8.0' in text
        assert 'facegate_streams_waiting{awaited="scan_start"} 0.0' in text
        await attacker.close()


async def _metrics(port: int) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return await answer.text()
