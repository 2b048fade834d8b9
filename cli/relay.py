"""A TCP relay on loopback: a slow network, or one that loses every connection at once."""

import asyncio
import contextlib

from cli.errors import ServerUnusable

_HOST = "127.0.0.1"
_CHUNK = 65_536


class Relay:
    """Forwards connections to a port until they are cut."""

    def __init__(self, *, port: int = 0, delay_s: float = 0.0) -> None:
        """Prepares the relay."""
        self.port = port
        self._delay_s = delay_s
        self._target = 0
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, target: int) -> None:
        """Listens, and forwards to the port ``target``."""
        self._target = target
        try:
            self._listening = await asyncio.start_server(self._accept, _HOST, self.port)
        except OSError as error:
            raise ServerUnusable(
                f"port {self.port} of {_HOST} cannot be used: {error.strerror or error}; give another one"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]

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
        far_reader, far_writer = await asyncio.open_connection(_HOST, self._target)
        both = {writer, far_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                carry(reader, far_writer, delay_s=self._delay_s),
                carry(far_reader, writer, delay_s=self._delay_s),
            )
            for one in both:
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()


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
