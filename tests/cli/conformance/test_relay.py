"""The relay in front of the conformance server leaves no connection open."""

import asyncio
import contextlib

from cli.conformance.endpoint import Relay
from tests.ports import held_port


async def test_a_connection_ends_when_the_target_is_away() -> None:
    with held_port() as nobody:
        relay = Relay()
        await relay.start(nobody)
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await relay.close()


async def test_closing_ends_connections_that_have_just_come() -> None:
    # What stays open is a ResourceWarning, and fails the test.
    far = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    for _ in range(20):
        relay = Relay()
        await relay.start(far.sockets[0].getsockname()[1])
        coming = [asyncio.create_task(asyncio.open_connection("127.0.0.1", relay.port)) for _ in range(8)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await relay.close()
        for met in await asyncio.gather(*coming, return_exceptions=True):
            if isinstance(met, tuple):
                met[1].close()
        await asyncio.sleep(0)
    far.close()
    await far.wait_closed()
