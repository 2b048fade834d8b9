"""The requests to the person at the end of a capture: for a moving head, and then for gestures."""

from collections.abc import Callable, Collection
from typing import Final

from liveness import Gesture, GestureRequest, HintCode, ScanObservations, gesture_made, head_is_at_rest
from liveness.express import has_sign_of_life

GESTURE_SECONDS: Final = 5
"""The longest wait for each gesture, at the end of an attempt, seconds of capture time."""
_BETWEEN_SECONDS: Final = 0.25
"""Capture time between two measurements of the motion; each takes some milliseconds."""


class MotionWait:
    """Decides whether to ask the person for a turn of the head at the end of a capture, and for how long.

    LIVE requires motion that a flat sheet cannot make (``liveness.fusion``). If the person kept still, there
    is none, and the attempt would end as INCONCLUSIVE.

    Not safe for several threads at once.
    """

    def __init__(self, *, seconds: float) -> None:
        """Initialise a wait that begins with the first call of ``check_motion``.

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

    def check_motion(self, scan: ScanObservations, time: float) -> None:
        """Test the measurements so far, and begin or end the wait.

        Call it for each frame from the end of the capture on.

        Args:
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


_NETWORK_SECONDS: Final = 1.0
"""How much longer the wait lasts by the server's clock, seconds: the request and the answer travel."""


class GestureWait:
    """One request of one attempt. Not safe for several threads at once.

    It comes when nothing else of the attempt is missing, so that the gesture disturbs no other measurement.
    """

    def __init__(self, gesture: Gesture) -> None:
        """Initialise a request that is made with the first call of ``check_gesture``."""
        self._latest_arrival = 0.0
        self.request = GestureRequest(gesture, asked_at=None)
        """The request, for the judge."""
        self.made: bool | None = None
        """Whether the gesture was made; ``None`` while it still can be."""

    @property
    def asking(self) -> bool:
        """Whether the person is to make the gesture now."""
        return self.request.asked_at is not None and self.made is None

    def check_gesture(self, scan: ScanObservations, time: float, *, arrival: float, since: float) -> None:
        """Make the request, or test whether it is met or the wait is over.

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
            self._latest_arrival = arrival + GESTURE_SECONDS + _NETWORK_SECONDS
            return
        self.made = gesture_made(scan, self.request)
        if self.made is None and (time - asked_at >= GESTURE_SECONDS or arrival >= self._latest_arrival):
            self.made = False


REPLACED_BY_REQUEST: Final = frozenset({HintCode.GOOD, HintCode.EYES_CLOSED, HintCode.LOOK_STRAIGHT})
"""Guidance that the request to turn the head replaces: it would contradict it, or comment on its answer."""
_TURN: Final = HintCode.TURN_HEAD_SLIGHTLY.value
_MOST_DELAY_SECONDS: Final = 1.5
"""The longest delay before a gesture is requested, seconds of capture time."""
_MOST_UNREST_SECONDS: Final = 3.0
"""How much longer a turn waits until the head is at rest, seconds of capture time."""


def draw_gestures(
    *, open_mouth: bool, turn_head: bool, random: Callable[[int], bytes]
) -> tuple[Gesture, ...]:
    """Draw the side of the turn, and the order of the gestures, each with probability one half.

    Args:
        open_mouth: Whether the mouth is to be opened.
        turn_head: Whether the head is to be turned.
        random: Returns the given number of unpredictable bytes.
    """
    drawn: list[Gesture] = [Gesture.OPEN_MOUTH] if open_mouth else []
    if turn_head:
        bits = random(1)[0]
        drawn.append(Gesture.TURN_LEFT if bits & 1 else Gesture.TURN_RIGHT)
        if bits & 2:
            drawn.reverse()
    return tuple(drawn)


class LastRequests:
    """Makes the requests, one after the other. Not safe for several threads at once.

    Each gesture is requested after a drawn delay, so that nobody knows its time in advance. A turn is
    requested once the head is at rest, because coming back from an earlier turn could count as one to the
    wrong side; after three seconds it is requested all the same. Once one gesture is missing, no other is
    requested: the attempt cannot succeed.
    """

    def __init__(
        self,
        *,
        motion_seconds: float,
        gestures: Collection[Gesture],
        random: Callable[[int], bytes],
    ) -> None:
        """Start without a request.

        Args:
            motion_seconds: See ``CapturePlan``.
            gestures: The gestures, in order.
            random: Returns the given number of unpredictable bytes.
        """
        self._random = random
        self._due_at: float | None = None
        self._asks_from: float | None = None
        self._motion = MotionWait(seconds=motion_seconds)
        self._gestures = tuple(GestureWait(gesture) for gesture in gestures)

    @property
    def over(self) -> bool:
        """Whether the capture need not wait for an answer."""
        return self._motion.over and self._next is None

    @property
    def measures_gesture(self) -> bool:
        """Whether each frame has to be measured for a gesture: one is requested, or due."""
        return self._next is not None and self._due_at is not None

    @property
    def begun(self) -> bool:
        """Whether a gesture was due, so that frames from now on show only gestures."""
        return self._due_at is not None

    @property
    def gestures(self) -> tuple[GestureRequest, ...]:
        """The requests for gestures, for the judge, in order; those without a time were not made."""
        return tuple(wait.request for wait in self._gestures)

    def check_requests(self, scan: ScanObservations, time: float, *, arrival: float, settled: bool) -> None:
        """Make a request, or test whether it is answered. Call it for each frame once enough are captured.

        Args:
            scan: The measurements of the attempt so far.
            time: The frame's capture time, seconds.
            arrival: Its arrival, seconds on the server's clock.
            settled: Whether a challenge, if there is one, needed no further frame before this one.
        """
        nothing_else_missing = self._motion.over and settled
        self._motion.check_motion(scan, time)
        gesture = self._next
        if not nothing_else_missing or gesture is None:
            return
        if self._due_at is None:
            # What was decided without this frame must not be decided anew with it.
            self._due_at = scan.frames[-2].capture_time if len(scan.frames) > 1 else time
        if self._asks_from is None:
            self._asks_from = time + _MOST_DELAY_SECONDS * self._random(1)[0] / 255
        if gesture.asking or self._may_ask(gesture, scan, waited=time - self._asks_from, since=self._due_at):
            gesture.check_gesture(scan, time, arrival=arrival, since=self._due_at)
            if gesture.made is not None:
                self._asks_from = None

    @staticmethod
    def _may_ask(gesture: GestureWait, scan: ScanObservations, *, waited: float, since: float) -> bool:
        """Return whether the person may be asked now, ``waited`` seconds after the drawn delay."""
        if waited < 0:
            return False
        if gesture.request.gesture is Gesture.OPEN_MOUTH:
            return True
        return waited >= _MOST_UNREST_SECONDS or head_is_at_rest(scan, since=since)

    def instead_of(self, code: HintCode) -> str | None:
        """Return the feedback code of the current request, if it replaces this guidance; else ``None``.

        A request for a gesture replaces any, because the person would not know what the attempt waits for.
        """
        if self._motion.asking and code in REPLACED_BY_REQUEST:
            return _TURN
        gesture = self._next
        return gesture.request.gesture.value if gesture is not None and gesture.asking else None

    @property
    def _next(self) -> GestureWait | None:
        """The gesture that is requested now or next; ``None`` if no other is."""
        for wait in self._gestures:
            if wait.made is None:
                return wait
            if not wait.made:
                return None
        return None
