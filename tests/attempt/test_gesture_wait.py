"""The request for a gesture at the end of a capture."""

from attempt.last_requests import GestureWait
from liveness.gestures import Gesture, GestureRequest
from tests.liveness.builders import RATE, followed, observation

_SINCE = 12 / RATE
_ASKED = GestureRequest(Gesture.OPEN_MOUTH, asked_at=19 / RATE, since=_SINCE)


def _seen(upto: int, opened_from: int) -> list[float]:
    """Shut, then partly open in two frames, and then open."""
    opened = [0.1, 0.6, 1.1, 2.4]
    return [opened[min(3, max(0, index - opened_from + 3))] for index in range(upto)]


def _play(
    wait: GestureWait, *, opened_from: int, first: int = 20, frames: int = 400, stalls: float = 0.0
) -> int:
    """Gives frames to the wait until it is over; returns how many."""
    gaps = _seen(frames, opened_from)
    for index in range(first, frames):
        shown = followed([observation(at, mouth=gap) for at, gap in enumerate(gaps[: index + 1])])
        arrival = 50 + index / RATE + (stalls if index > first else 0.0)
        wait.take(shown, index / RATE, arrival=arrival, since=_SINCE)
        if wait.made is not None:
            return index
        assert wait.asking
    return frames


def test_the_wait_ends_when_the_gesture_is_made() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH, seconds=5.0)
    assert (wait.made, wait.asking) == (None, False)
    assert wait.request == GestureRequest(Gesture.OPEN_MOUTH, asked_at=None)
    assert _play(wait, opened_from=35) == 36
    assert wait.request == _ASKED
    assert (wait.made, wait.asking) == (True, False)


def test_the_wait_ends_after_its_time() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH, seconds=2.0)
    assert _play(wait, opened_from=1000) == 19 + 2 * RATE
    assert (wait.made, wait.request) == (False, _ASKED)


def test_the_wait_ends_by_the_servers_clock_if_the_device_stops_its_own() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH, seconds=5.0)
    assert _play(wait, opened_from=30, stalls=8.0) == 21
    assert (wait.made, wait.request) == (False, _ASKED)


def test_the_wait_ends_when_the_head_turns_to_the_other_side() -> None:
    wait = GestureWait(Gesture.TURN_LEFT, seconds=5.0)
    for index in range(20, 60):
        yaw = [0.0] * min(index + 1, 30) + [-20.0] * max(0, index - 29)
        shown = followed([observation(at, yaw=one) for at, one in enumerate(yaw)])
        wait.take(shown, index / RATE, arrival=50.0, since=_SINCE)
        if wait.made is not None:
            break
    assert (wait.made, index) == (False, 31)
