"""After kill -9 of a server, or its orderly end, no decoder outlives it."""

import asyncio
from pathlib import Path

import pytest

from tests.server.process.server_process import DataFolder


def _decoders_of(server: int) -> list[int]:
    children = Path(f"/proc/{server}/task").glob("*/children")
    found = [int(pid) for listed in children for pid in listed.read_text().split()]
    return [pid for pid in found if b"vision.isolation.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def _gone(processes: list[int]) -> None:
    for _ in range(200):
        if not any(_runs(pid) for pid in processes):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"decoders outlived their server: {processes}")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
async def test_decoders_end_with_their_server(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as server:
        await server.ready()
        decoders = _decoders_of(server.process.pid)
        assert decoders
        assert "decoders_isolated" in await server.written()
        await server.kill()
    await _gone(decoders)
    async with home.serving() as server:
        await server.ready()
        decoders = _decoders_of(server.process.pid)
        assert decoders
        server.terminate()
        assert await server.ended() == 0
    await _gone(decoders)
