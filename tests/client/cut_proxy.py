"""A TCP proxy that can cut its connections, as a network does, start them slowly, or delay them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cli.relay import carry


class CutProxy:
    """Forwards connections to a target until they are cut.

    Args:
        target: ``host:port``.
        silent_s: Seconds in which a new connection receives nothing.
        delay_s: Delay in each direction, seconds: half of the added round-trip time.
    """

    def __init__(self, target: str, *, silent_s: float = 0.0, delay_s: float = 0.0) -> None:
        host, _, port = target.rpartition(":")
        self._silent_s = silent_s
        self._delay_s = delay_s
        self._target = (host, int(port))
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self.connections = 0

    def cut(self) -> None:
        """Resets every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Cuts all connections and waits until they are closed."""
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        self.connections += 1
        if task := asyncio.current_task():
            self._tasks.add(task)
        await asyncio.sleep(self._silent_s)
        remote_reader, remote_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, remote_writer}
        try:
            await asyncio.gather(
                carry(reader, remote_writer, delay_s=self._delay_s),
                carry(remote_reader, writer, delay_s=self._delay_s),
            )
        finally:
            self._writers -= {writer, remote_writer}
            writer.transport.abort()
            remote_writer.transport.abort()


@contextlib.asynccontextmanager
async def cutting(
    target: str, *, silent_s: float = 0.0, delay_s: float = 0.0
) -> AsyncIterator[tuple[CutProxy, str]]:
    """A proxy to ``target`` on a free port of loopback, with its ``host:port``."""
    proxy = CutProxy(target, silent_s=silent_s, delay_s=delay_s)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, f"127.0.0.1:{port}"
    finally:
        server.close()
        await proxy.close()
