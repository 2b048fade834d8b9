"""A TCP relay before a listener, which can lose every connection at once, as a network does."""

import asyncio
from typing import Self

from cli.bench.delayed_line import carry
from cli.errors import ServerUnusable

__all__ = ["Relay"]


class Relay:
    """Forwards connections to a listener until they are cut.

    Attributes:
        port: The TCP port on which it listens, after ``start``.
    """

    def __init__(self, *, host: str, port: int) -> None:
        """Prepares the relay.

        Args:
            host: The address of both sides, on loopback.
            port: The port to listen on; 0 for any free one.
        """
        self._host = host
        self.port = port
        self._target = 0
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, target: int) -> Self:
        """Listens, and forwards to the port ``target``.

        Raises:
            ServerUnusable: The port is in use.
        """
        self._target = target
        try:
            self._listening = await asyncio.start_server(self._accept, self._host, self.port)
        except OSError as error:
            raise ServerUnusable(
                f"port {self.port} of {self._host} cannot be used: {error.strerror or error}; "
                "give another one"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def cut(self) -> None:
        """Resets every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Stops to listen and cuts all connections."""
        if self._listening is not None:
            self._listening.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._target)
        both = {writer, far_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                carry(reader, far_writer, delay_s=0.0), carry(far_reader, writer, delay_s=0.0)
            )
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()
