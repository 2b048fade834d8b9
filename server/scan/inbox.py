"""The incoming messages of a stream, read ahead so that their arrival times are exact."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from server.scan.messages import Inbound

_BESIDE_FRAMES = 8
"""Messages that may wait besides the frames in flight; further messages wait in the transport."""


class StreamEnded(Exception):
    """The device half-closed its side, which ends the scan."""


class ConnectionLost(Exception):
    """The transport failed, so that nothing can be read or sent any more."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message and its time of arrival, in seconds of the server's monotonic clock."""

    message: Inbound
    time: float


class Inbox:
    """Reads the messages of one stream in a separate task."""

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
            monotonic: Returns the server's monotonic time in seconds.
            arrives: Called with every message when it arrives. A refusal that it raises takes the message's
                place in the queue; earlier messages are processed first, and nothing more is read.
            window_frames: Frames that credit allows in flight. All of them are read ahead, so that none waits
                in the transport when its credit is counted.
        """
        self._queue: asyncio.Queue[Arrival | Exception] = asyncio.Queue(window_frames + _BESIDE_FRAMES)
        self._monotonic = monotonic
        self._arrives = arrives
        self._reader = asyncio.create_task(self._read(inbound))
        self._end: Exception | None = None

    @property
    def waiting(self) -> bool:
        """Whether a message has arrived that was not fetched yet."""
        return not self._queue.empty()

    @property
    def over(self) -> bool:
        """Whether no further message can come: reading has ended and every message was fetched."""
        return self._reader.done() and self._queue.empty()

    async def next(self, *, timeout: float) -> Arrival | None:  # noqa: ASYNC109 - a tick, not a failure
        """Returns the next message, or ``None`` if none arrives within ``timeout`` seconds.

        Raises:
            StreamEnded: The device half-closed.
            Refusal: A message could not be read.
            Exception: Any other error that ended the reading.
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
        """Stops reading and drops waiting messages; the next call of ``next`` raises ``error``."""
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
        except Exception as error:  # noqa: BLE001 - passed on to the reader of the queue
            await self._queue.put(error)
        else:
            await self._queue.put(StreamEnded())
