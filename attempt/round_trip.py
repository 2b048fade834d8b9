"""The round trip of a stream by the server's clock, from frames that answer a message of the server."""

__all__ = ["RoundTrip"]


class RoundTrip:
    """Measures how long the network takes for a message to the device and the frame that answers it.

    Only frames that the device could not send before it received a message count: the first one of an
    attempt, which contains the nonce of AttemptStart in its MAC; the first one after credit for a device that
    had none left; and the first one that names a new step of the flash. Each such exchange takes at least the
    round trip, and also the time to the next frame and its transfer. Therefore the shortest exchange is used.

    The capture times of the frames have no influence. A device that answers late makes the round trip seem
    longer, as a slow network does; ``FreshnessSettings.round_trip`` of the flash model limits how much of it
    counts.
    """

    def __init__(self) -> None:
        """Starts without an exchange."""
        self._shortest: float | None = None
        self._asked: float | None = None
        self._waiting_since: float | None = None
        self._waited: tuple[float, float] | None = None
        self._step = 0
        self._step_at: float | None = None

    @property
    def seconds(self) -> float:
        """The shortest exchange so far, seconds; 0 before the first one."""
        return 0.0 if self._shortest is None else self._shortest

    @property
    def waited(self) -> tuple[float, float] | None:
        """When the latest frame waited for the server's credit, from and until; ``None`` if it did not.

        Both are seconds on the server's monotonic clock: the arrival of the frame that used the last credit,
        and the sending of more.
        """
        return self._waited

    def note_request(self, now: float, *, waiting_since: float | None = None) -> None:
        """Notes a message without which the device cannot send another frame.

        Args:
            now: When the message is sent, seconds on the server's monotonic clock.
            waiting_since: Since when the device had no credit, on the same clock; ``None`` at the start.
        """
        if self._asked is None:
            self._asked, self._waiting_since = now, waiting_since

    def note_step(self, step: int, now: float) -> None:
        """Notes that a step of the flash, which no earlier frame can name, is sent at ``now``."""
        self._step, self._step_at = step, now

    def note_frame(self, at: float, *, step: int) -> None:
        """Notes the next frame, in order of arrival.

        Args:
            at: When it arrived, seconds on the server's monotonic clock.
            step: The step that it names; 0 for none.
        """
        # A frame that had arrived when the message was sent, and waited to be processed, is no answer to it.
        self._waited = None
        if self._asked is not None and at > self._asked:
            self._exchanged(at - self._asked)
            if self._waiting_since is not None:
                self._waited = (self._waiting_since, self._asked)
            self._asked = None
        if self._step_at is not None and step == self._step and at > self._step_at:
            self._exchanged(at - self._step_at)
            self._step_at = None

    def _exchanged(self, seconds: float) -> None:
        self._shortest = seconds if self._shortest is None else min(self._shortest, seconds)
