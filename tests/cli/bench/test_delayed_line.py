"""A connection with latency."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest_asyncio

from cli.bench.delayed_line import delayed_line

ROUND_TRIP = 0.2


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[str]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def test_data_return_after_one_round_trip(echo: str) -> None:
    async with delayed_line(echo, round_trip_s=ROUND_TRIP) as target:
        reader, writer = await _connect(target)
        began = time.monotonic()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert time.monotonic() - began >= ROUND_TRIP
        writer.close()


async def test_the_connection_has_delay_and_full_bandwidth(echo: str) -> None:
    sent = bytes(range(256)) * 8192
    async with delayed_line(echo, round_trip_s=ROUND_TRIP) as target:
        reader, writer = await _connect(target)
        began = time.monotonic()
        writer.write(sent)
        writer.write_eof()
        assert await reader.read(-1) == sent
        # Far less than a round trip for each of its 32 chunks.
        assert time.monotonic() - began < 10 * ROUND_TRIP
        writer.close()


async def test_without_a_delay_there_is_no_line_between(echo: str) -> None:
    async with delayed_line(echo, round_trip_s=0.0) as target:
        assert target == echo
