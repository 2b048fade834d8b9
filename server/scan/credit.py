"""Credit: the number of frames and bytes that a device may send until the server grants more.

Transport flow control alone lets a client send megabytes ahead of the handler. For live video that is seconds
of stale frames. Credit limits the data in flight to a few frames, so that a slow server slows the camera down
and no queue grows.
"""

import time
from collections.abc import Callable

from server.errors import Reason, Refusal
from server.scan.messages import AttemptEndMessage, CreditMessage, FrameMessage, Inbound


class CreditLedger:
    """The remaining credit of a stream's current attempt, and the credit that processed frames have freed.

    A frame is charged to the credit that the server had sent when the frame *arrived*, not when it is
    processed, because more credit may have been granted in between. A device cannot know of credit before it
    is sent. A device that keeps to its known credit is therefore never refused, whatever the latency. A
    device that ignores its credit is refused once it has sent more than the window.
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
        """Initialises the ledger between attempts.

        Args:
            window_frames: Frames that may be in flight.
            window_bytes: Bytes of images that may be in flight; at least one largest frame.
            largest_frame: Bytes of the largest image that a device may send.
            monotonic: Returns the server's monotonic time in seconds.
            waited: Called with the seconds for which the device had no credit for another frame of the size
                of its last one.
        """
        self._monotonic = monotonic
        self._waited = waited
        self._exhausted: float | None = None
        self._largest_frame = largest_frame
        self._window_frames = window_frames
        self._window_bytes = window_bytes
        self._counts = False
        self._frames = 0
        self._bytes = 0
        self._due_frames = 0
        self._due_bytes = 0

    def open(self) -> CreditMessage:
        """Begins an attempt with a full window and returns the credit for AttemptStart.

        Remaining credit of an earlier attempt is dropped. Call this before AttemptStart is sent, because the
        first frame may arrive before the send returns.
        """
        self._counts = True
        self._frames, self._bytes = self._window_frames, self._window_bytes
        self._due_frames = self._due_bytes = 0
        self._exhausted = None
        return CreditMessage(frames=self._window_frames, bytes=self._window_bytes)

    def count_arrival(self, message: Inbound) -> None:
        """Counts a message that has just arrived; only frames of an attempt need credit.

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
        if self._exhausted is None and (self._frames < 1 or self._bytes < needed):
            self._exhausted = self._monotonic()

    def note_processed(self, size: int) -> None:
        """Notes that a frame of ``size`` bytes was processed, so that its credit can be granted again."""
        self._due_frames += 1
        self._due_bytes += size

    @property
    def _has_plenty(self) -> bool:
        plenty = max(self._largest_frame, self._window_bytes // 2)
        return 2 * self._frames > self._window_frames and self._bytes >= plenty

    @property
    def spent_since(self) -> float | None:
        """Since when the device has lacked credit for any frame; ``None`` while it has some."""
        return self._exhausted if self._counts and self._frames < 1 else None

    @property
    def held_back(self) -> bool:
        """Whether there is freed credit that was not granted yet."""
        return self._due_frames > 0

    def grant(self, *, everything: bool = False) -> CreditMessage | None:
        """Grants the freed credit; returns ``None`` if there is none or the grant can wait.

        A grant waits while the device has credit for more than half of the window and for its largest image,
        because a message for every frame would cost both sides more than the frame itself.

        Args:
            everything: Whether room is granted that could wait.
        """
        if not self._due_frames or (self._has_plenty and not everything):
            return None
        grant = CreditMessage(frames=self._due_frames, bytes=self._due_bytes)
        self._frames += self._due_frames
        self._bytes += self._due_bytes
        self._due_frames = 0
        self._due_bytes = 0
        if self._exhausted is not None:
            self._waited(self._monotonic() - self._exhausted)
            self._exhausted = None
        return grant
