"""The requests to the person at the end of a capture: a turn of the head, and then an open mouth."""

from collections.abc import Callable
from typing import Final

from attempt.motion_wait import MotionWait
from attempt.mouth_wait import MouthWait
from liveness import GuidanceCode, MouthRequest, ScanObservations
from liveness.dynamic.challenge import HintCode

__all__ = ["REPLACED_BY_REQUEST", "LastRequests"]

REPLACED_BY_REQUEST: Final = frozenset(
    {GuidanceCode.OK, GuidanceCode.EYES_CLOSED, GuidanceCode.LOOK_STRAIGHT}
)
"""Guidance that a request replaces: it would contradict the request, or comment on its answer."""
_TURN: Final = HintCode.TURN_HEAD_SLIGHTLY.value
_OPEN_MOUTH: Final = "OPEN_MOUTH"
_MOST_DELAY_SECONDS: Final = 1.5
"""The longest delay before the request to open the mouth, seconds of capture time."""


class LastRequests:
    """Makes the requests, each only if the plan allows it time. Not safe for several threads at once.

    The request to open the mouth comes after a drawn delay, so that nobody knows its time in advance.
    """

    def __init__(
        self, *, motion_seconds: float, mouth_seconds: float, random: Callable[[int], bytes]
    ) -> None:
        """Starts without a request.

        Args:
            motion_seconds: See ``CapturePlan``.
            mouth_seconds: See ``CapturePlan``.
            random: Returns the given number of unpredictable bytes.
        """
        self._random = random
        self._asks_from: float | None = None
        self._motion = MotionWait(seconds=motion_seconds)
        self._mouth = MouthWait(seconds=mouth_seconds)

    @property
    def over(self) -> bool:
        """Whether the capture need not wait for an answer."""
        return self._motion.over and self._mouth.over

    @property
    def asks_mouth(self) -> bool:
        """Whether the person is to open the mouth now."""
        return self._mouth.asking

    @property
    def mouth(self) -> MouthRequest | None:
        """The request to open the mouth, for the judge; ``None`` if the plan has none."""
        return self._mouth.request

    def take(self, scan: ScanObservations, time: float, *, arrival: float, settled: bool) -> None:
        """Makes a request, or tests whether it is answered. Call it for each frame once enough are captured.

        Args:
            scan: The measurements of the attempt so far.
            time: The frame's capture time, seconds.
            arrival: Its arrival, seconds on the server's clock.
            settled: Whether a challenge, if there is one, needed no further frame before this one.
        """
        nothing_else_missing = self._motion.over and settled
        self._motion.take(scan, time)
        if not nothing_else_missing or self._mouth.over:
            return
        if self._asks_from is None:
            self._asks_from = time + _MOST_DELAY_SECONDS * self._random(1)[0] / 255
        if time >= self._asks_from:
            self._mouth.take(scan, time, arrival=arrival)

    def instead_of(self, code: GuidanceCode) -> str | None:
        """Returns the feedback code of the current request, if it replaces this guidance; else ``None``."""
        if self._motion.asking and code in REPLACED_BY_REQUEST:
            return _TURN
        # The inside of an open mouth looks like a cover.
        if self._mouth.asking and code in REPLACED_BY_REQUEST | {GuidanceCode.MOUTH_NOT_VISIBLE}:
            return _OPEN_MOUTH
        return None
