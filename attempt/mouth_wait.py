"""Asks the person to open the mouth at the end of a capture, and waits until it was opened or time is up."""

from typing import Final

from liveness import MouthRequest, ScanObservations, mouth_opened

__all__ = ["MouthWait"]

_NETWORK_SECONDS: Final = 1.0
"""How much longer the wait lasts by the server's clock, seconds: the request and the answer travel."""


class MouthWait:
    """The request to open the mouth of one attempt. Not safe for several threads at once.

    It comes when nothing else of the attempt is missing, so that moving lips disturb no other measurement.
    """

    def __init__(self, *, seconds: float) -> None:
        """Initialises a request that is made with the first call of ``take``.

        Args:
            seconds: The longest wait, seconds of capture time; 0 if the policy does not demand an open mouth.
        """
        self._seconds = seconds
        self._request = MouthRequest(asked_at=None)
        self._latest_arrival = 0.0
        self.over = seconds <= 0
        """Whether the capture need not wait: the mouth was opened, or the longest wait is over."""

    @property
    def asking(self) -> bool:
        """Whether the person is to open the mouth now."""
        return self._request.asked_at is not None and not self.over

    @property
    def request(self) -> MouthRequest | None:
        """The request for the judge; ``None`` if the policy does not demand an open mouth."""
        return self._request if self._seconds > 0 else None

    def take(self, scan: ScanObservations, time: float, *, arrival: float) -> None:
        """Makes the request, or tests whether it is met or the wait is over.

        Call it for each frame from the first one on before which nothing else was missing.

        Args:
            scan: The measurements of the attempt so far, with that frame.
            time: The frame's capture time, seconds.
            arrival: Its arrival, seconds on the server's clock. The wait also ends by this clock, because the
                device could stop its own.
        """
        if self.over:
            return
        asked_at = self._request.asked_at
        if asked_at is None:
            # What was decided without this frame must not be decided anew with it.
            before = scan.frames[-2].capture_time if len(scan.frames) > 1 else time
            self._request = MouthRequest(asked_at=before)
            self._latest_arrival = arrival + self._seconds + _NETWORK_SECONDS
        else:
            late = time - asked_at >= self._seconds or arrival >= self._latest_arrival
            self.over = late or mouth_opened(scan, self._request)
