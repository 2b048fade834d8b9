"""A stream's incoming messages, read ahead by a few so that arrival times are true and waiting ones seen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from server.scan.messages import Inbound

# A little above what credit allows in flight; what exceeds it waits in the transport.
_READ_AHEAD = 16


class StreamEnded(Exception):
    """The device half-closed its side: the scan is over."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message and when it arrived, seconds of the server's monotonic clock."""

    message: Inbound
    time: float


class Inbox:
    """Reads a stream in a task of its own. Belongs to one stream."""

    def __init__(self, inbound: AsyncIterator[Inbound], *, monotonic: Callable[[], float]) -> None:
        """Starts to read."""
        self._queue: asyncio.Queue[Arrival | Exception] = asyncio.Queue(_READ_AHEAD)
        self._monotonic = monotonic
        self._reader = asyncio.create_task(self._read(inbound))
        self._end: Exception | None = None

    @property
    def waiting(self) -> bool:
        """Whether a message has arrived that nobody has taken."""
        return not self._queue.empty()

    @property
    def over(self) -> bool:
        """Whether nothing more can come: the connection was lost, and every message was taken."""
        return self._reader.done() and self._queue.empty()

    async def next(self, *, timeout: float) -> Arrival | None:  # noqa: ASYNC109 - a tick, not a failure
        """The next message, or ``None`` if none comes within ``timeout`` seconds.

        Raises:
            StreamEnded: The device half-closed.
            Refusal: A message could not be read.
            Exception: Whatever else ended the reading.
        """
        if self._end is not None:
            raise self._end
        try:
            async with asyncio.timeout(max(0.0, timeout)):
                item = await self._queue.get()
        except TimeoutError:
            return None
        if isinstance(item, Arrival):
            return item
        self._end = item
        raise item

    def close(self) -> None:
        """Stops reading."""
        self._reader.cancel()

    async def _read(self, inbound: AsyncIterator[Inbound]) -> None:
        try:
            async for message in inbound:
                await self._queue.put(Arrival(message, self._monotonic()))
        except Exception as error:  # noqa: BLE001 - handed to whoever serves the stream, who must not wait for more
            await self._queue.put(error)
        else:
            await self._queue.put(StreamEnded())
