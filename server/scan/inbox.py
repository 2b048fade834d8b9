"""The incoming messages of a stream, read ahead so that their arrival times are exact, and their credit.

Credit is the number of frames and bytes that a device may send until the server grants more. Transport flow
control alone lets a client send megabytes ahead of the handler. For live video that is seconds of stale
frames. Credit limits the data in flight to a few frames, so that a slow server slows the camera down and no
queue grows.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from server.base.errors import Reason, Refusal
from server.scan.messages import AttemptEndMessage, CreditMessage, FrameMessage, Inbound

_LATE_SECONDS = 0.25
"""The longest time of a frame in the server that leaves the window as it is."""
_LEAST_WINDOW = 4
"""The smallest window, frames: ten a second over a round trip of 0.4 s."""


class CreditLedger:
    """The remaining credit of a stream's current attempt, and the credit that processed frames have freed.

    A frame is charged to the credit that the server had sent when the frame *arrived*, not when it is
    processed, because more credit may have been granted in between. A device cannot know of credit before it
    is sent. A device that keeps to its known credit is therefore never refused, whatever the latency. A
    device that ignores its credit is refused once it has sent more than the window.

    While frames wait long in the server, the window shrinks to a few frames, frame by frame. A device then
    drops images that would be stale when they are processed, and the challenge, which goes on when a frame is
    processed, takes no longer. The time of a frame in the network does not count.

    Attributes:
        waited_seconds: For how long the device of this attempt had no credit for another frame, seconds.
    """

    def __init__(
        self,
        *,
        window_frames: int,
        window_bytes: int,
        largest_frame: int,
        monotonic: Callable[[], float] = time.monotonic,
        waited: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Initialise the ledger between attempts.

        Args:
            window_frames: Frames that may be in flight.
            window_bytes: Bytes of images that may be in flight; at least one largest frame.
            largest_frame: Bytes of the largest image that a device may send.
            waited: Called with the seconds for which the device had no credit for another frame of the size
                of its last one.
        """
        self._monotonic = monotonic
        self._waited = waited
        self._exhausted: float | None = None
        self.waited_seconds = 0.0
        self._largest_frame = largest_frame
        self._window_frames = window_frames
        self._window_bytes = window_bytes
        self._counts = False
        self._window = window_frames
        self._frames = 0
        self._bytes = 0
        self._queued = 0
        self._due_frames = 0
        self._due_bytes = 0

    def open(self) -> CreditMessage:
        """Begin an attempt with a full window and return the credit for AttemptStart.

        Remaining credit of an earlier attempt is dropped. Call this before AttemptStart is sent, because the
        first frame may arrive before the send returns.
        """
        self._counts = True
        self._window, self._queued = self._window_frames, 0
        self._frames, self._bytes = self._window_frames, self._window_bytes
        self._due_frames = self._due_bytes = 0
        self._exhausted = None
        self.waited_seconds = 0.0
        return CreditMessage(frames=self._window_frames, bytes=self._window_bytes)

    def count_arrival(self, message: Inbound) -> None:
        """Count a message that has just arrived; only frames of an attempt need credit.

        Frames outside of an attempt are ignored here and refused elsewhere for a more specific reason.

        Raises:
            Refusal: The device sent a frame beyond its credit (CREDIT_EXCEEDED).
        """
        match message:
            case FrameMessage(image=image) if self._counts:
                self._spend(len(image))
            case AttemptEndMessage():
                self._counts = False
            case _:
                pass

    def _spend(self, size: int) -> None:
        # A frame that exceeds the size limit is refused for its size, not for lack of credit.
        needed = min(size, self._largest_frame)
        if self._frames < 1 or self._bytes < needed:
            raise Refusal(
                Reason.CREDIT_EXCEEDED,
                f"the frame of {size} bytes arrived with credit for {self._frames} frames and {self._bytes} "
                "bytes left; wait for Credit, and drop images before they get an index",
                details={"frameBytes": size, "creditFrames": self._frames, "creditBytes": self._bytes},
            )
        self._frames -= 1
        self._bytes -= needed
        self._queued += 1
        if self._exhausted is None and (self._frames < 1 or self._bytes < needed):
            self._exhausted = self._monotonic()

    def note_processed(self, size: int, *, waited: float = 0.0) -> None:
        """Note that a frame of ``size`` bytes was processed, so that its credit can be granted again.

        Args:
            waited: The seconds from its arrival until it was processed.
        """
        late = waited > _LATE_SECONDS
        self._window = (
            max(self._window - 1, min(_LEAST_WINDOW, self._window_frames))
            if late
            else min(self._window + 1, self._window_frames)
        )
        self._queued -= 1
        self._due_frames += 1
        self._due_bytes += size

    @property
    def _has_plenty(self) -> bool:
        plenty = max(self._largest_frame, self._window_bytes // 2)
        return 2 * self._frames > self._window and self._bytes >= plenty

    @property
    def spent_since(self) -> float | None:
        """Since when the device has lacked credit for any frame; ``None`` while it has some."""
        return self._exhausted if self._counts and self._frames < 1 else None

    @property
    def held_back(self) -> bool:
        """Whether there is freed credit that was not granted yet."""
        return self._due_frames > 0

    @property
    def _grantable(self) -> int:
        return min(self._due_frames, self._window - self._frames - self._queued)

    def grant(self, *, everything: bool = False) -> CreditMessage | None:
        """Grant the freed credit; return ``None`` if there is none or the grant can wait.

        A grant waits while the device has credit for more than half of the window and for its largest image,
        because a message for every frame would cost both sides more than the frame itself. If the window has
        shrunk, a part of the frames waits until it grows.

        Args:
            everything: Whether room is granted that could wait, because the device is silent: nothing waits
                in the server then, and the window is whole again.
        """
        if everything:
            self._window = self._window_frames
        frames = self._grantable
        if frames < 1 or (self._has_plenty and not everything):
            return None
        grant = CreditMessage(frames=frames, bytes=self._due_bytes)
        self._frames += frames
        self._bytes += self._due_bytes
        self._due_frames -= frames
        self._due_bytes = 0
        if self._exhausted is not None:
            waited = self._monotonic() - self._exhausted
            self.waited_seconds += waited
            self._waited(waited)
            self._exhausted = None
        return grant


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
        """Start to read.

        Args:
            inbound: The device's messages.
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
    def over(self) -> bool:
        """Whether no further message can come: reading has ended and every message was fetched."""
        return self._reader.done() and self._queue.empty()

    async def next(self, *, timeout: float) -> Arrival | None:  # noqa: ASYNC109 - a tick, not a failure
        """Return the next message, or ``None`` if none arrives within ``timeout`` seconds.

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
        # A variable of this frame would keep the error, and its traceback all frames of the scan.
        del item
        raise self._end

    def fail(self, error: Exception) -> None:
        """Stop reading and drop waiting messages; the next call of ``next`` raises ``error``."""
        self._reader.cancel()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._end = error
        self._queue.put_nowait(error)

    def close(self) -> None:
        """Stop reading. Nothing may be fetched any more."""
        self._reader.cancel()
        # The error that was raised has a traceback, which refers to this inbox and to all frames of the scan.
        self._end = StreamEnded()

    async def _read(self, inbound: AsyncIterator[Inbound]) -> None:
        try:
            async for message in inbound:
                self._arrives(message)
                await self._queue.put(Arrival(message, self._monotonic()))
        except asyncio.CancelledError:
            # Raised, it would keep its traceback, and with it this inbox with its frames.
            return
        except Exception as error:  # noqa: BLE001 - passed on to the reader of the queue
            await self._queue.put(error)
        else:
            await self._queue.put(StreamEnded())
