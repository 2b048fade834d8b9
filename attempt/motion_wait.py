"""Extends a capture in which the person kept still, until the person turns the head or time is up."""

from typing import Final

from liveness import ScanObservations
from liveness.express import has_sign_of_life

__all__ = ["MotionWait"]

_BETWEEN_SECONDS: Final = 0.25
"""Capture time between two measurements of the motion; each takes some milliseconds."""


class MotionWait:
    """Decides whether to ask the person for a turn of the head at the end of a capture, and for how long.

    LIVE requires motion that a flat sheet cannot make (``liveness.fusion``). If the person kept still, there
    is none, and the attempt would end as INCONCLUSIVE.

    Not safe for several threads at once.
    """

    def __init__(self, *, seconds: float) -> None:
        """Initialises a wait that begins with the first call of ``take``.

        Args:
            seconds: The longest wait, seconds of capture time; 0 for no wait.
        """
        self._seconds = seconds
        self._begun: float | None = None
        self._measured: float | None = None
        self.over = seconds <= 0
        """Whether the capture need not wait: such motion was measured, or the longest wait is over."""

    @property
    def asking(self) -> bool:
        """Whether the person is to turn the head now."""
        return self._begun is not None and not self.over

    def take(self, scan: ScanObservations, time: float) -> None:
        """Tests the measurements so far, and begins or ends the wait.

        Call it for each frame from the end of the capture on.

        Args:
            scan: The measurements of the attempt so far.
            time: The frame's capture time, seconds.
        """
        if self.over:
            return
        if self._measured is None or time - self._measured >= _BETWEEN_SECONDS:
            self._measured = time
            if has_sign_of_life(scan):
                self.over = True
                return
        if self._begun is None:
            self._begun = time
        self.over = time - self._begun >= self._seconds
