"""A forward proxy that records what passes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """What a running proxy has seen.

    Attributes:
        address: Its ``http://host:port``.
        refuses: Whether it answers 503 to every request.
        requests: The first line of each request.
    """

    address: str = ""
    refuses: bool = False
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: connect it with the host that it names."""
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head.partition("\r\n")[0])
            method, target, _ = self.requests[-1].split()
            if self.refuses or method != "CONNECT":
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                host, _, port = target.rpartition(":")
                from_server, to_server = await asyncio.open_connection(host.strip("[]"), int(port))
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await asyncio.gather(_relay(reader, to_server), _relay(from_server, writer))
        writer.close()


async def _relay(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@asynccontextmanager
async def connect_proxy(*, refuses: bool = False) -> AsyncIterator[ConnectProxy]:
    """Run a proxy on a free port of this machine."""
    proxy = ConnectProxy(refuses=refuses)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.address = f"http://127.0.0.1:{port}"
    try:
        yield proxy
    finally:
        server.close()
