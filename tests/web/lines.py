"""Lines between a page and the server that are as bad as the network of a phone."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, repeat

_CHUNK = 4096
_BUFFER = 16_384
_SEGMENT = 1_400
_PART = 32_768


@asynccontextmanager
async def line(
    target: str,
    *,
    breaks_after: int | None = None,
    breaks: int = 1,
    bytes_per_second: float | None = None,
    late: Sequence[float] = (0.0,),
) -> AsyncIterator[str]:
    """Yield the address of a line to the server.

    Args:
        target: Host and port of the server.
        breaks_after: The bytes of the page after which a connection breaks; ``None`` for never.
        breaks: The first connections, which break.
        bytes_per_second: The rate at which the line carries the bytes of the page; ``None`` for any.
        late: The times by which parts of 32 KiB of the page are late, seconds, again and again.
    """
    host, port = target.rsplit(":", 1)
    connections = 0
    tasks: set[asyncio.Task[object]] = set()

    async def carry(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int | None,
        rate: float | None,
        lateness: Iterator[float],
    ) -> None:
        passed = 0
        while data := await reader.read(_CHUNK):
            if passed // _PART < (passed := passed + len(data)) // _PART:
                await asyncio.sleep(next(lateness))
            writer.write(data)
            await writer.drain()
            if limit is not None and (limit := limit - len(data)) <= 0:
                break
            if rate is not None:
                await asyncio.sleep(len(data) / rate)

    async def connected(page: asyncio.StreamReader, to_page: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if task := asyncio.current_task():
            tasks.add(task)
        try:
            server, to_server = await asyncio.open_connection(host, int(port))
        except BaseException:
            to_page.transport.abort()
            raise
        limit = breaks_after if connections <= breaks else None
        up = asyncio.create_task(carry(page, to_server, limit, bytes_per_second, cycle(late)))
        down = asyncio.create_task(carry(server, to_page, None, None, repeat(0.0)))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            for writer in (to_page, to_server):
                with contextlib.suppress(ConnectionError):
                    writer.transport.abort()

    entry = socket.socket()
    # As on a phone's network: otherwise loopback keeps megabytes of frames on their way.
    entry.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    entry.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
    entry.bind(("127.0.0.1", 0))
    listening = await asyncio.start_server(connected, sock=entry, limit=_BUFFER)
    try:
        yield f"ws://127.0.0.1:{entry.getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
