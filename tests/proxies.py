"""A forward proxy that records what passes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """What a running proxy has seen.

    Attributes:
        address: Its ``http://host:port``.
        refuses: Whether it answers 503 to every request.
        requests: The first line of each request.
        authorizations: The ``Proxy-Authorization`` of each request; empty without one.
        names: The ``host:port`` behind names that only the proxy knows, by ``host:port``.
        answer: What it answers instead of connecting, if set.
    """

    address: str = ""
    refuses: bool = False
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    answer: bytes | None = None
    _serving: set["asyncio.Task[None]"] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it or the proxy ends."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def stop(self) -> None:
        """End all connections."""
        tasks = list(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one connection with the host that it names."""
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head.partition("\r\n")[0])
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
            self.authorizations.append(headers.get("Proxy-Authorization", ""))
            method, target, _ = self.requests[-1].split()
            if self.answer is not None:
                writer.write(self.answer)
                await writer.drain()
            elif self.refuses or method != "CONNECT":
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                host, _, port = self.names.get(target, target).rpartition(":")
                from_server, to_server = await asyncio.open_connection(host.strip("[]"), int(port))
                with closing(to_server):
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    await asyncio.gather(_relay(reader, to_server), _relay(from_server, writer))


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
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.address = f"http://127.0.0.1:{port}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
