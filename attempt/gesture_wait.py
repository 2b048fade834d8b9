"""Asks the person for a gesture at the end of a capture, and waits until it was made or time is up."""

from typing import Final

from liveness import Gesture, GestureRequest, ScanObservations, gesture_made

__all__ = ["GestureWait"]

_NETWORK_SECONDS: Final = 1.0
"""How much longer the wait lasts by the server's clock, seconds: the request and the answer travel."""


class GestureWait:
    """One request of one attempt. Not safe for several threads at once.

    It comes when nothing else of the attempt is missing, so that the gesture disturbs no other measurement.
    """

    def __init__(self, gesture: Gesture, *, seconds: float) -> None:
        """Initialises a request that is made with the first call of ``take``.

        Args:
            gesture: The gesture.
            seconds: The longest wait, seconds of capture time.
        """
        self._seconds = seconds
        self._latest_arrival = 0.0
        self.request = GestureRequest(gesture, asked_at=None)
        """The request, for the judge."""
        self.made: bool | None = None
        """Whether the gesture was made; ``None`` while it still can be."""

    @property
    def asking(self) -> bool:
        """Whether the person is to make the gesture now."""
        return self.request.asked_at is not None and self.made is None

    def take(self, scan: ScanObservations, time: float, *, arrival: float, since: float) -> None:
        """Makes the request, or tests whether it is met or the wait is over.

        Call it for each frame from the first one on before which nothing else was missing.

        Args:
            scan: The measurements of the attempt so far, with that frame.
            time: The frame's capture time, seconds.
            arrival: Its arrival, seconds on the server's clock. The wait also ends by this clock, because the
                device could stop its own.
            since: See ``GestureRequest``.
        """
        if self.made is not None:
            return
        asked_at = self.request.asked_at
        if asked_at is None:
            # What was decided without this frame must not be decided anew with it.
            before = scan.frames[-2].capture_time if len(scan.frames) > 1 else time
            self.request = GestureRequest(self.request.gesture, asked_at=before, since=since)
            self._latest_arrival = arrival + self._seconds + _NETWORK_SECONDS
            return
        self.made = gesture_made(scan, self.request)
        if self.made is None and (time - asked_at >= self._seconds or arrival >= self._latest_arrival):
            self.made = False
