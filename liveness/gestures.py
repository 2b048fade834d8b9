"""Gestures on request: opening the mouth, and turning the head to a side.

A rigid mask with holes for living eyes is lit as a face is, blinks, and has a head's depth. It cannot open
its mouth. A mask with a hole for living lips can: their gap does not tell it from a face. A mask can turn,
but a film was recorded before the side was drawn.

A gesture by itself proves nothing, because people talk and look around. Therefore only a gesture after the
request counts, from the person's rest on, and only if it goes farther than people who were not asked. A face
that is not followed from the last frame that counts for all else up to the gesture did not make it: a picture
took its place.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from liveness.continuity import followed_from
from liveness.observation import FrameObservation, ScanObservations
from liveness.verdict import Signal, assessed, not_assessed

_REACTION_SECONDS: Final = 0.3
"""How long after the last frame before the request the person is still at rest, seconds: nobody reads and
reacts sooner."""
_FEWEST_FRAMES: Final = 2
"""The number of consecutive measured frames that must show the gesture; a single one may be noise."""
_REST_SECONDS: Final = 0.5
"""How long before a request for a turn the measurement of the yaw at rest begins, seconds."""
_STILL_SECONDS: Final = 0.7
"""How long a head must not have turned to be still, seconds: long enough for the answer to an earlier request
to have begun."""
_STALE_SECONDS: Final = 1.1
"""The longest time that may count as this one if few frames were measured, seconds."""
_STILL_DEGREES: Final = 5.0
"""The most by which the yaw of a still head changes, degrees."""
_FEWEST_STILL_FRAMES: Final = 4
"""The number of measured frames that show whether the head is still."""
_USUAL_DEGREES: Final = 6.0
"""The most by which the yaw of a head at rest differs from its usual one, degrees: less than the turn that
counts, so that coming back from it is not taken for a turn."""


class Gesture(StrEnum):
    """What the person is asked to do. Sides are the person's own."""

    OPEN_MOUTH = "OPEN_MOUTH"
    TURN_LEFT = "TURN_LEFT"
    TURN_RIGHT = "TURN_RIGHT"


@dataclass(frozen=True, slots=True)
class GestureRequest:
    """The demand of a policy that the person makes a gesture on request.

    Attributes:
        asked_at: Capture time of the last frame before the request, seconds since the attempt's first frame;
            ``None`` if the attempt ended before.
        since: Capture time of the last frame that counts for all else, seconds: frames after it show only
            gestures, and the same face must be followed from it on. ``None`` is the same as ``asked_at``.
    """

    gesture: Gesture
    asked_at: float | None
    since: float | None = None

    @property
    def follows(self) -> float | None:
        """Capture time of the frame from which on the same face must be followed; ``None`` if not asked."""
        return self.asked_at if self.since is None else self.since


@dataclass(frozen=True, slots=True)
class _Excursion:
    """How a gesture is measured.

    Attributes:
        name: The signal's name.
        measure: Returns the value that the gesture raises; ``None`` if it was not measured in a frame.
        at_rest: The value beyond the median at rest up to which a face is at rest.
        least: The same from which the gesture is made.
        found: The detail of the signal, with ``{found}`` and ``{least}``.
        opposite: The value beyond the median down to which the opposite gesture is not made.
        rest_seconds: How long before the request the rest begins, of which the median is taken, seconds.
        still_within: The most by which the values from then on up to the request may differ. If they differ
            by more, the face was still moving, and the median up to ``GestureRequest.since`` is taken, if
            anything was measured by then.
    """

    name: str
    label: str
    measure: Callable[[FrameObservation], float | None]
    at_rest: float
    least: float
    found: str
    opposite: float = -math.inf
    rest_seconds: float = math.inf
    still_within: float = math.inf


_MOUTH: Final = _Excursion(
    name="mouth_opened",
    label="Mouth opened on request",
    measure=lambda frame: frame.mouth,
    at_rest=0.4,
    # Rigid masks stay below 0.2, people who talk below 1.15 (``docs/adr/0008-depth-and-blink.md``).
    least=1.2,
    found=(
        "The lips parted by {found:.1f} cm more than at rest, as on a face of average size; the request is "
        "met from {least:.1f} cm on."
    ),
)


def _turn(sign: int) -> _Excursion:
    return _Excursion(
        name="head_turned",
        label="Head turned on request",
        measure=lambda frame: None if frame.yaw is None else sign * frame.yaw,
        at_rest=4.0,
        least=10.0,
        found=(
            "The head turned to the requested side by {found:.0f} degrees; the request is met from "
            "{least:.0f} degrees on."
        ),
        opposite=-10.0,
        # A head that was turned for its depth rests where it was still at last.
        rest_seconds=_REST_SECONDS,
        still_within=_STILL_DEGREES,
    )


_EXCURSIONS: Final = {
    Gesture.OPEN_MOUTH: _MOUTH,
    Gesture.TURN_LEFT: _turn(1),
    Gesture.TURN_RIGHT: _turn(-1),
}
"""A yaw is positive to the image's right, which is the person's left."""


def gesture_made(scan: ScanObservations, request: GestureRequest) -> bool | None:
    """Return whether the gesture was made after the request.

    Returns:
        ``None`` if it was not made yet; False if it cannot count, because the opposite was made first, or the
        face was lost.
    """
    excursion = _EXCURSIONS[request.gesture]
    found = _farthest(scan, request, excursion)
    if found is None:
        return False
    return True if found >= excursion.least else None


def gesture_signal(scan: ScanObservations, request: GestureRequest) -> Signal:
    """Return the signal of the gesture. It has no weight: the policy's demand alone counts."""
    excursion = _EXCURSIONS[request.gesture]
    if request.asked_at is None:
        reason = "The attempt ended before the person was asked for it."
        return not_assessed(name=excursion.name, label=excursion.label, reason=reason)
    found = _farthest(scan, request, excursion)
    detail = excursion.found.format(found=found or 0.0, least=excursion.least)
    if found is None:
        detail = "The face was lost before, or the head turned to the other side first."
    score = (found or 0.0) / (2 * excursion.least)
    return assessed(name=excursion.name, label=excursion.label, score=score, detail=detail)


def head_is_at_rest(scan: ScanObservations, *, since: float) -> bool:
    """Return whether the head is where it usually is and does not turn, so that a turn answers a request.

    Args:
        scan: The measurements of the attempt so far.
        since: See ``GestureRequest``. Up to then the median of the yaw is the usual one.
    """
    turned = [(frame.capture_time, frame.yaw) for frame in scan.usable if frame.yaw is not None]
    if not turned:
        return False
    end = turned[-1][0]
    begin = max((time for time, _ in turned if time <= end - _STILL_SECONDS), default=end)
    latest = [yaw for time, yaw in turned if time >= begin]
    if len(latest) < _FEWEST_STILL_FRAMES or end - begin > _STALE_SECONDS:
        return False
    if max(latest) - min(latest) > _STILL_DEGREES:
        return False
    usual = float(np.median([yaw for time, yaw in turned if time <= since] or latest))
    return abs(float(np.median(latest)) - usual) <= _USUAL_DEGREES


def _farthest(scan: ScanObservations, request: GestureRequest, excursion: _Excursion) -> float | None:
    """Return the farthest excursion that counts, beyond rest; 0 if there is none.

    ``None`` if none can count any more: the opposite came first, or the face was lost.
    """
    asked_at, since = request.asked_at, request.follows
    if asked_at is None or since is None:
        return 0.0
    earliest = asked_at + _REACTION_SECONDS
    followed = followed_from(scan, since)
    measured = [
        (frame.capture_time, excursion.measure(frame))
        for frame in scan.usable
        if frame.capture_time < asked_at or frame.index in followed
    ]
    values = [(time, value) for time, value in measured if value is not None]
    begin = asked_at - excursion.rest_seconds
    before = [value for time, value in values if begin <= time < earliest]
    if not before:
        return 0.0
    unasked = [value for time, value in values if begin <= time <= asked_at]
    if unasked and max(unasked) - min(unasked) > excursion.still_within:
        before = [value for time, value in values if time <= since] or before
    rest = float(np.median(before))
    farthest, at_rest, opposite = 0.0, False, 0
    run: list[float] = []
    for time, beyond in ((time, value - rest) for time, value in values if time >= asked_at):
        opposite = opposite + 1 if beyond <= excursion.opposite and time >= earliest else 0
        if opposite == _FEWEST_FRAMES and farthest < excursion.least:
            return None
        if beyond < excursion.at_rest:
            at_rest = True
            run.clear()
        elif at_rest and time >= earliest:
            run = [*run, beyond][-_FEWEST_FRAMES:]
            if len(run) == _FEWEST_FRAMES:
                farthest = max(farthest, min(run))
    lost = farthest < excursion.least and scan.frames[-1].index not in followed
    return None if lost else farthest
