from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from attempt.last_requests import GestureWait, LastRequests, MotionWait, draw_gestures
from liveness import Gesture, GestureRequest, GuidanceCode
from liveness.observation import ScanObservations
from tests.liveness.builders import RATE, followed, observation, scan


def _bytes(values: Iterator[int]) -> bytes:
    return bytes([next(values) % 256])


def test_every_side_and_order_is_drawn_as_often() -> None:
    values = iter(range(256))
    drawn = Counter(
        draw_gestures(open_mouth=True, turn_head=True, random=lambda _: _bytes(values)) for _ in range(256)
    )
    mouth, sides = Gesture.OPEN_MOUTH, (Gesture.TURN_LEFT, Gesture.TURN_RIGHT)
    assert drawn == dict.fromkeys(
        [*((mouth, side) for side in sides), *((side, mouth) for side in sides)], 64
    )


def test_only_what_is_demanded_is_drawn() -> None:
    values = count()
    assert draw_gestures(open_mouth=False, turn_head=False, random=lambda _: _bytes(values)) == ()
    assert draw_gestures(open_mouth=True, turn_head=False, random=lambda _: _bytes(values)) == (
        Gesture.OPEN_MOUTH,
    )
    assert next(values) == 0, "nothing was drawn"
    assert draw_gestures(open_mouth=False, turn_head=True, random=lambda _: _bytes(values)) == (
        Gesture.TURN_LEFT,
    )


def _requests(delay: int = 0) -> LastRequests:
    return LastRequests(
        motion_seconds=0.0,
        gestures=(Gesture.TURN_RIGHT, Gesture.OPEN_MOUTH),
        gesture_seconds=5.0,
        random=lambda number: bytes([delay] * number),
    )


def _play(requests: LastRequests, *, opens: bool = True, turns: bool = True) -> list[str | None]:
    """A person who makes each gesture half a second after its request; returns the hints, frame by frame."""
    hints: list[str | None] = []
    frames = []
    for index in range(300):
        asked = [request.asked_at for request in requests.gestures]
        since = [0.0 if at is None else index / RATE - at - 0.5 for at in asked]
        frames.append(
            observation(
                index,
                yaw=-min(20.0, max(0.0, 60 * since[0])) * (turns and since[0] < 1.0),
                mouth=0.1 + min(2.0, max(0.0, 6 * since[1])) * opens,
            )
        )
        requests.check_requests(followed(frames), index / RATE, arrival=index / RATE, settled=index >= 20)
        hints.append(requests.instead_of(GuidanceCode.OK))
        if requests.over:
            break
    return hints


@pytest.mark.parametrize(("delay", "frames"), [(0, 0), (255, 22)])
def test_gestures_are_requested_one_after_the_other_each_after_a_drawn_delay(delay: int, frames: int) -> None:
    requests = _requests(delay)
    hints = _play(requests)
    turn, mouth = hints.index("TURN_RIGHT"), hints.index("OPEN_MOUTH")
    assert turn == 20 + frames + (delay > 0)
    last = max(index for index, hint in enumerate(hints) if hint == "TURN_RIGHT")
    assert mouth - last - 2 == pytest.approx(frames, abs=1)
    assert requests.over
    assert len(hints) < 150
    assert not requests.asks_gesture


def _swing(index: int) -> float:
    return 15.0 if index // 5 % 2 else -15.0


def _turned_for_depth(index: int) -> float:
    return 0.0 if index < 25 else -15.0


@pytest.mark.parametrize("moved", [_swing, _turned_for_depth])
def test_a_head_that_was_turned_is_asked_once_it_is_back_at_rest(moved: Callable[[int], float]) -> None:
    requests, frames, asked = _requests(), [], None
    for index in range(120):
        frames.append(observation(index, yaw=0.0 if index >= 45 else moved(index)))
        requests.check_requests(followed(frames), index / RATE, arrival=index / RATE, settled=index >= 30)
        if requests.asks_gesture:
            asked = index
            break
        assert requests.measures_gesture is (index >= 30)
    assert asked == pytest.approx(45 + 0.8 * RATE, abs=1.5)


def test_a_head_that_is_never_at_rest_is_asked_all_the_same() -> None:
    requests, frames = _requests(), []
    for index in range(120):
        frames.append(observation(index, yaw=15.0 * (-1) ** (index // 5)))
        requests.check_requests(followed(frames), index / RATE, arrival=index / RATE, settled=index >= 20)
        if requests.asks_gesture:
            break
    assert index == pytest.approx(20 + 3.0 * RATE, abs=1.5)


def test_once_a_gesture_is_missing_no_other_is_requested() -> None:
    requests = _requests()
    hints = _play(requests, turns=False)
    assert requests.over
    assert set(hints) == {None, "TURN_RIGHT"}
    turn, mouth = requests.gestures
    assert turn.asked_at is not None
    assert mouth.asked_at is None
    assert len(hints) == pytest.approx(20 + 5 * RATE, abs=2)


def test_a_request_replaces_all_other_guidance() -> None:
    requests = _requests()
    for index in range(25):
        shown = followed([observation(at, yaw=0.0) for at in range(index + 1)])
        requests.check_requests(shown, index / RATE, arrival=index / RATE, settled=True)
    assert requests.asks_gesture
    assert {requests.instead_of(code) for code in GuidanceCode} == {"TURN_RIGHT"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The answers of the measurement, which are taken from the front; the last one stays."""
    answers: list[bool] = []

    def has_sign_of_life(seen: ScanObservations) -> bool:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr("attempt.last_requests.has_sign_of_life", has_sign_of_life)
    return answers


def test_no_turn_is_requested_of_a_person_that_moved(measured: list[bool]) -> None:
    measured.append(True)
    wait = MotionWait(seconds=4.0)
    wait.check_motion(scan(), 5.0)
    assert wait.over
    assert not wait.asking


def test_a_turn_is_requested_until_the_head_turns(measured: list[bool]) -> None:
    measured.extend([False, False, True])
    wait = MotionWait(seconds=4.0)
    wait.check_motion(scan(), 5.0)
    assert wait.asking
    wait.check_motion(scan(), 5.5)
    assert wait.asking
    wait.check_motion(scan(), 6.0)
    assert wait.over
    assert not wait.asking


def test_the_wait_ends_without_motion(measured: list[bool]) -> None:
    measured.append(False)
    wait = MotionWait(seconds=4.0)
    for time in (5.0, 6.0, 8.9):
        wait.check_motion(scan(), time)
        assert wait.asking
    wait.check_motion(scan(), 9.0)
    assert wait.over


def test_the_motion_is_measured_a_few_times_a_second(measured: list[bool]) -> None:
    measured.extend([False, True])
    wait = MotionWait(seconds=4.0)
    wait.check_motion(scan(), 5.0)
    wait.check_motion(scan(), 5.1)
    assert wait.asking
    assert measured == [True]


def test_a_plan_without_time_for_it_waits_for_nothing() -> None:
    wait = MotionWait(seconds=0.0)
    assert wait.over
    wait.check_motion(scan(), 5.0)
    assert not wait.asking


_SINCE = 12 / RATE
_ASKED = GestureRequest(Gesture.OPEN_MOUTH, asked_at=19 / RATE, since=_SINCE)


def _seen(upto: int, opened_from: int) -> list[float]:
    """Shut, then partly open in two frames, and then open."""
    opened = [0.1, 0.6, 1.1, 2.4]
    return [opened[min(3, max(0, index - opened_from + 3))] for index in range(upto)]


def _gesture_wait_play(
    wait: GestureWait, *, opened_from: int, first: int = 20, frames: int = 400, stalls: float = 0.0
) -> int:
    """Gives frames to the wait until it is over; returns how many."""
    gaps = _seen(frames, opened_from)
    for index in range(first, frames):
        shown = followed([observation(at, mouth=gap) for at, gap in enumerate(gaps[: index + 1])])
        arrival = 50 + index / RATE + (stalls if index > first else 0.0)
        wait.check_gesture(shown, index / RATE, arrival=arrival, since=_SINCE)
        if wait.made is not None:
            return index
        assert wait.asking
    return frames


def test_the_wait_ends_when_the_gesture_is_made() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH, seconds=5.0)
    assert (wait.made, wait.asking) == (None, False)
    assert wait.request == GestureRequest(Gesture.OPEN_MOUTH, asked_at=None)
    assert _gesture_wait_play(wait, opened_from=35) == 36
    assert wait.request == _ASKED
    assert (wait.made, wait.asking) == (True, False)


def test_the_wait_ends_after_its_time() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH, seconds=2.0)
    assert _gesture_wait_play(wait, opened_from=1000) == 19 + 2 * RATE
    assert (wait.made, wait.request) == (False, _ASKED)


def test_the_wait_ends_by_the_servers_clock_if_the_device_stops_its_own() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH, seconds=5.0)
    assert _gesture_wait_play(wait, opened_from=30, stalls=8.0) == 21
    assert (wait.made, wait.request) == (False, _ASKED)


def test_the_wait_ends_when_the_head_turns_to_the_other_side() -> None:
    wait = GestureWait(Gesture.TURN_LEFT, seconds=5.0)
    for index in range(20, 60):
        yaw = [0.0] * min(index + 1, 30) + [-20.0] * max(0, index - 29)
        shown = followed([observation(at, yaw=one) for at, one in enumerate(yaw)])
        wait.check_gesture(shown, index / RATE, arrival=50.0, since=_SINCE)
        if wait.made is not None:
            break
    assert (wait.made, index) == (False, 31)
