"""Credit: how many frames and bytes a device may send before the server asked for more.

Transport flow control alone lets a client push megabytes ahead of the handler, which for live video
is seconds of stale frames. Credit keeps what is in flight to a few frames and slows the camera instead
of growing a queue.
"""

from server.errors import Reason, Refusal
from server.scan.messages import AttemptEndMessage, CreditMessage, FrameMessage, Inbound


class CreditLedger:
    """What a stream's current attempt may still send, and what was processed since the last grant.

    A frame is held to the credit that the server had sent when the frame *arrived*, not when it is worked
    off: by then more may have been granted. A device cannot know of credit before it was sent, so that one
    which keeps to what it knows is never refused, however long the line. One that ignores its credit is
    refused once it is ahead by more than the window.
    """

    def __init__(self, *, window_frames: int, window_bytes: int, largest_frame: int) -> None:
        """Starts between attempts.

        Args:
            window_frames: Frames that may be in flight.
            window_bytes: Bytes of images that may be in flight; at least one largest frame.
            largest_frame: Bytes of the largest image that a device may send.
        """
        self._largest_frame = largest_frame
        self._window_frames = window_frames
        self._window_bytes = window_bytes
        self._counts = False
        self._frames = 0
        self._bytes = 0
        self._due_frames = 0
        self._due_bytes = 0

    def open(self) -> CreditMessage:
        """Begins an attempt with a full window, in place of what was left; what AttemptStart carries.

        To be called before AttemptStart is sent: the first frame may arrive before the send returns.
        """
        self._counts = True
        self._frames, self._bytes = self._window_frames, self._window_bytes
        self._due_frames = self._due_bytes = 0
        return CreditMessage(frames=self._window_frames, bytes=self._window_bytes)

    def arrives(self, message: Inbound) -> None:
        """Counts a message that just arrived; only an attempt's frames need credit.

        Frames outside of an attempt are left to those who refuse them for a better reason.

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
        # A larger one than is allowed is refused for that, and not for want of credit.
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

    def processed(self, size: int) -> None:
        """Notes that a frame of ``size`` bytes was worked through, so that its room can be given again."""
        self._due_frames += 1
        self._due_bytes += size

    @property
    def _has_plenty(self) -> bool:
        plenty = max(self._largest_frame, self._window_bytes // 2)
        return 2 * self._frames > self._window_frames and self._bytes >= plenty

    @property
    def held_back(self) -> bool:
        """Whether there is room to give that can wait."""
        return self._due_frames > 0

    def grant(self, *, everything: bool = False) -> CreditMessage | None:
        """The room to give again now; ``None`` where there is none to give, or it can wait.

        It waits while the device has credit for more than half of the window and for its largest image: a
        message for every frame would cost both sides more than the frame's own. So a device is never left
        without credit that is due to it.

        Args:
            everything: Whether what can wait is given, too.
        """
        if not self._due_frames or (self._has_plenty and not everything):
            return None
        grant = CreditMessage(frames=self._due_frames, bytes=self._due_bytes)
        self._frames += self._due_frames
        self._bytes += self._due_bytes
        self._due_frames = 0
        self._due_bytes = 0
        return grant
