"""A server process whose data folder is on a disk that fills up and gets room again."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2

from tests.server.live import fresh_pictures
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import refusal_of

_SIZE = "24m"
_BLOCKS = (65_536, 512)
_SECONDS = 60
_SENT = 4
_SUCCESS = result_pb2.CHECK_STATUS_SUCCESS


@pytest.fixture
def home(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder of its own small disk."""
    home = DataFolder(tmp_path)
    home.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=0700", "tmpfs", str(home.data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk: run the tests as root")
    try:
        yield home
    finally:
        subprocess.run(["umount", "--lazy", str(home.data)], check=True)


def _fill(folder: Path) -> Path:
    """Take all the room; return the file to delete."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in _BLOCKS:
            with suppress(OSError):
                while True:
                    file.write(os.urandom(size))
    return ballast


async def _readiness(server: ServerProcess) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{server.admin_port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def _ready_with(server: ServerProcess, status: int) -> dict[str, Any]:
    """Wait for a status of ``/readyz``, which remembers its answer for a few seconds."""
    async with asyncio.timeout(_SECONDS):
        while True:
            found, body = await _readiness(server)
            if found == status:
                return body
            await asyncio.sleep(0.2)


async def _rest(stream: RawStream, *, sent: int = 0) -> scan_pb2.ScanResult:
    await stream.send_live(fresh_pictures()[sent:])
    await stream.send(stream.end())
    return await stream.result()


async def _scan(stream: RawStream) -> scan_pb2.ScanResult:
    await stream.begin()
    return await _rest(stream)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_full_disk_refuses_by_name_loses_nothing_and_is_over_once_there_is_room(
    home: DataFolder,
) -> None:
    wanted = str(uuid4())
    async with home.serving() as server:
        await _ready_with(server, 200)
        decided, running, waiting = [await server.upload(str(uuid4()), policy="test") for _ in range(3)]
        assert (await _scan(await RawDevice(server.device, decided).open())).status == (
            scan_pb2.SCAN_STATUS_SUCCESS
        )
        device = RawDevice(server.device, running)
        stream = await device.open()
        await stream.begin()
        await stream.send_live(fresh_pictures()[:_SENT])
        ballast = await asyncio.to_thread(_fill, home.data)

        # 1. The server is not ready and says why.
        body = await _ready_with(server, 503)
        assert not body["parts"]["disk"]
        assert not body["parts"]["database"]
        assert "No space left on device" in body["reasons"]["disk"]
        assert "the disk is full" in body["reasons"]["database"]
        # 2. Each call is refused by name, and may be repeated.
        for call in (
            server.upload(wanted, policy="test"),
            server.finish(decided.check_id),
        ):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
            assert refusal.retry_seconds
        with pytest.raises(Ended, match="NOT_SERVING"):
            await RawDevice(server.device, waiting).open()
        # 3. The scan that runs is not decided by it.
        with pytest.raises(Ended, match="NOT_SERVING"):
            await _rest(stream, sent=_SENT)

        # 4. With room again, everything goes on, without a restart.
        await asyncio.to_thread(ballast.unlink)
        await _ready_with(server, 200)
        assert (await server.finish(decided.check_id)).result.status == _SUCCESS
        assert (await _scan(await device.resume())).status == scan_pb2.SCAN_STATUS_SUCCESS
        assert (await _scan(await RawDevice(server.device, waiting).open())).status == (
            scan_pb2.SCAN_STATUS_SUCCESS
        )
        later = await server.upload(wanted, policy="test")
        await server.kill()

    # 5. And nothing that was acknowledged is lost.
    async with home.serving() as server:
        for check in (decided, running, waiting):
            answer = await server.finish(check.check_id)
            assert answer.result.status == _SUCCESS
            assert answer.evidence_frame.image
        assert await server.upload(wanted, policy="test") == later
