"""A connection with latency."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest_asyncio

from cli.relay import Relay

_ROUND_TRIP = 0.2


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


@pytest_asyncio.fixture
async def line() -> AsyncIterator[int]:
    """The port of a relay before a server that returns what it receives."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    relay = Relay(delay_s=_ROUND_TRIP / 2)
    await relay.start(server.sockets[0].getsockname()[1])
    yield relay.port
    await relay.close()
    server.close()


async def test_data_return_after_one_round_trip(line: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line)
    began = time.monotonic()
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    assert time.monotonic() - began >= _ROUND_TRIP
    writer.close()


async def test_the_connection_has_delay_and_full_bandwidth(line: int) -> None:
    sent = bytes(range(256)) * 32_768
    reader, writer = await asyncio.open_connection("127.0.0.1", line)
    began = time.monotonic()
    writer.write(sent)
    writer.write_eof()
    assert await reader.read(-1) == sent
    # Far less than a round trip for each of its 128 chunks.
    assert time.monotonic() - began < 50 * _ROUND_TRIP
    writer.close()
