"""A stream's incoming messages, read ahead so that arrival times are true and waiting ones seen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from server.scan.messages import Inbound

_BESIDE_FRAMES = 8
"""Messages that may wait beside the frames in flight; what exceeds them waits in the transport."""


class StreamEnded(Exception):
    """The device half-closed its side: the scan is over."""


class ConnectionLost(Exception):
    """The transport failed under the stream: nothing can be read or sent any more."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message and when it arrived, seconds of the server's monotonic clock."""

    message: Inbound
    time: float


class Inbox:
    """Reads a stream in a task of its own. Belongs to one stream."""

    def __init__(
        self,
        inbound: AsyncIterator[Inbound],
        *,
        monotonic: Callable[[], float],
        arrives: Callable[[Inbound], None],
        window_frames: int,
    ) -> None:
        """Starts to read.

        Args:
            inbound: The device's messages.
            monotonic: The server's monotonic clock, seconds.
            arrives: Is called with every message as it arrives. A refusal that it raises takes the message's
                place: what came before it is worked off first, and nothing more is read.
            window_frames: Frames that credit allows in flight. All of them are read at once, so that none
                waits in the transport when its credit is counted.
        """
        self._queue: asyncio.Queue[Arrival | Exception] = asyncio.Queue(window_frames + _BESIDE_FRAMES)
        self._monotonic = monotonic
        self._arrives = arrives
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

    def fail(self, error: Exception) -> None:
        """Stops reading; whoever asks for the next message gets ``error``, and no message that waits."""
        self._reader.cancel()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._end = error
        self._queue.put_nowait(error)

    def close(self) -> None:
        """Stops reading."""
        self._reader.cancel()

    async def _read(self, inbound: AsyncIterator[Inbound]) -> None:
        try:
            async for message in inbound:
                self._arrives(message)
                await self._queue.put(Arrival(message, self._monotonic()))
        except Exception as error:  # noqa: BLE001 - handed to whoever serves the stream, who must not wait for more
            await self._queue.put(error)
        else:
            await self._queue.put(StreamEnded())
