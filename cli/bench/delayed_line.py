"""A slow network: a TCP proxy on loopback that forwards all data after a delay."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["carry", "delayed_line"]

_CHUNK = 65_536


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delay_s: float) -> None:
    """Forwards data ``delay_s`` later, at the same rate. Ends the writer's side at the end of the data."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    arrivals = asyncio.create_task(_arrive(under_way, writer))
    try:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                under_way.put_nowait((loop.time() + delay_s, chunk))
        under_way.put_nowait((loop.time() + delay_s, b""))
        await arrivals
    finally:
        arrivals.cancel()


async def _arrive(under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()
        # The other direction may still be active.
        writer.write_eof()


@contextlib.asynccontextmanager
async def delayed_line(target: str, *, round_trip_s: float) -> AsyncIterator[str]:
    """Yields a ``host:port`` that reaches ``target`` with an additional round-trip time.

    Args:
        target: ``host:port``.
        round_trip_s: Additional seconds, half of them each way; with 0 it yields ``target``.
    """
    if not round_trip_s:
        yield target
        return
    host, _, port = target.rpartition(":")
    connections: set[asyncio.Task[None]] = set()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        remote_reader, remote_writer = await asyncio.open_connection(host, int(port))
        delay_s = round_trip_s / 2
        try:
            await asyncio.gather(
                carry(reader, remote_writer, delay_s=delay_s), carry(remote_reader, writer, delay_s=delay_s)
            )
            for ended in (writer, remote_writer):
                ended.close()
                with contextlib.suppress(OSError):
                    await ended.wait_closed()
        finally:
            writer.transport.abort()
            remote_writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(join(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
