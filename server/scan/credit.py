"""Credit: how many frames and bytes a device may send before the server asked for more.

Transport flow control alone lets a client push megabytes ahead of the handler, which for live video
is seconds of stale frames. Credit keeps what is in flight to a few frames and slows the camera instead
of growing a queue.
"""

from server.errors import Reason, Refusal
from server.scan.messages import CreditMessage


class CreditLedger:
    """What one attempt may still send, and what has been processed since the last grant."""

    def __init__(self, *, window_frames: int, window_bytes: int) -> None:
        """Opens with a full window.

        Args:
            window_frames: Frames that may be in flight.
            window_bytes: Bytes of images that may be in flight; at least one largest frame.
        """
        self._window_frames = window_frames
        self._window_bytes = window_bytes
        self._frames = window_frames
        self._bytes = window_bytes
        self._due_frames = 0
        self._due_bytes = 0

    @property
    def opening(self) -> CreditMessage:
        """The credit that AttemptStart carries."""
        return CreditMessage(frames=self._window_frames, bytes=self._window_bytes)

    def spend(self, size: int) -> None:
        """Takes the room for an arrived frame of ``size`` bytes.

        Raises:
            Refusal: The device sent beyond its credit (CREDIT_EXCEEDED).
        """
        if self._frames < 1 or self._bytes < size:
            raise Refusal(
                Reason.CREDIT_EXCEEDED,
                f"the frame of {size} bytes was sent with credit for {self._frames} frames and {self._bytes} "
                "bytes left; wait for Credit, and drop images before they get an index",
                details={"frameBytes": size, "creditFrames": self._frames, "creditBytes": self._bytes},
            )
        self._frames -= 1
        self._bytes -= size

    def processed(self, size: int) -> None:
        """Notes that a frame of ``size`` bytes was worked through, so that its room can be given again."""
        self._due_frames += 1
        self._due_bytes += size

    def grant(self) -> CreditMessage | None:
        """The room to give again now; ``None`` where there is none to give."""
        if not self._due_frames:
            return None
        grant = CreditMessage(frames=self._due_frames, bytes=self._due_bytes)
        self._frames += self._due_frames
        self._bytes += self._due_bytes
        self._due_frames = 0
        self._due_bytes = 0
        return grant
