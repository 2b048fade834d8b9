"""A proxy that terminates TLS with its own certificate, records the traffic, and uses TLS to the server."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_CHUNK = 65_536


@dataclass(slots=True)
class Intercepted:
    """The address of the proxy, and the plain traffic that it recorded.

    Attributes:
        target: ``host:port``.
        from_device: Everything that devices sent.
        from_server: Everything that the server sent.
    """

    target: str
    from_device: bytearray = field(default_factory=bytearray)
    from_server: bytearray = field(default_factory=bytearray)


@contextlib.asynccontextmanager
async def intercepting(
    server: str, *, shown: ssl.SSLContext, trusted: ssl.SSLContext
) -> AsyncIterator[Intercepted]:
    """Run the proxy on a free port of loopback.

    Args:
        server: ``host:port`` of the server.
        shown: The certificate that the proxy presents to devices.
        trusted: The authority of the server, which has the name localhost.
    """
    host, _, port = server.rpartition(":")
    tasks: set[asyncio.Task[object]] = set()
    writers: set[asyncio.StreamWriter] = set()
    for context in (shown, trusted):
        context.set_alpn_protocols(["h2"])

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
        writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                host, int(port), ssl=trusted, server_hostname="localhost"
            )
        except OSError:
            writer.transport.abort()
            return
        writers.add(far_writer)
        try:
            await asyncio.gather(
                _forward(reader, far_writer, read.from_device), _forward(far_reader, writer, read.from_server)
            )
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=shown)
    read = Intercepted(f"localhost:{listener.sockets[0].getsockname()[1]}")
    try:
        yield read
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, read: bytearray) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            read += chunk
            writer.write(chunk)
            await writer.drain()
    writer.close()
