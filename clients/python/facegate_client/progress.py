"""The callbacks of a scan to its user interface."""

from collections.abc import Awaitable, Callable

from facegate.v1 import feedback_pb2, scan_pb2


class ScanEvents:
    """Callbacks of a scan. Each does nothing unless overridden.

    They are called in the event loop and must return at once. An exception in one ends the scan.

    Attributes:
        shows_hints: Whether ``feedback`` shows the person each hint. The device then announces
            CAPABILITY_OPEN_MOUTH and CAPABILITY_TURN_HEAD; so it does if its screen has these capabilities.
    """

    shows_hints: bool = False

    def challenge(self, body: scan_pb2.ChallengeBody) -> None:
        """A trusted challenge arrived: draw the oval, count down to ``scan_deadline - server_time``."""

    def attempt_started(self, start: scan_pb2.AttemptStart) -> None:
        """An attempt started."""

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        """Frame ``index`` of ``attempt`` with ``size`` bytes was passed to the transport."""

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        """A hint for the person arrived."""

    def flash_step(self, step: scan_pb2.FlashStep) -> None:
        """A colour arrived. It is shown as soon as the previous one was held for long enough."""

    def oval_changed(self, change: scan_pb2.OvalChange) -> None:
        """The oval moves or grows."""

    def adjusted(self, adjustment: scan_pb2.CaptureAdjustment) -> None:
        """The server asked for smaller or fewer frames."""

    def paused(self, pause: scan_pb2.CapturePause) -> None:
        """The server paused or resumed the capture."""

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        """The device ended ``attempt``; the server now decides."""

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        """The result of an attempt arrived."""

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        """The connection was lost; reconnect number ``reconnect`` follows after ``wait_s`` seconds."""


GetReady = Callable[[scan_pb2.ScanResult], Awaitable[None]]
"""Gets the result of the last attempt, and returns when the person is ready for the next one."""
