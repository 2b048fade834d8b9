"""The request to open the mouth at the end of a capture."""

from attempt.mouth_wait import MouthWait
from liveness.mouth import MouthRequest
from tests.liveness.builders import RATE, observation, scan


def _seen(upto: int, opened_from: int = 1000) -> list[float]:
    """Shut, then partly open in two frames, and then open."""
    opened = [0.1, 0.6, 1.1, 2.4]
    return [opened[min(3, max(0, index - opened_from + 3))] for index in range(upto)]


def _play(
    wait: MouthWait, *, opened_from: int, first: int = 20, frames: int = 400, stalls: float = 0.0
) -> int:
    """Gives frames to the wait until it is over; returns how many."""
    gaps = _seen(frames, opened_from)
    for index in range(first, frames):
        shown = scan([observation(at, mouth=gap) for at, gap in enumerate(gaps[: index + 1])])
        wait.take(shown, index / RATE, arrival=50 + index / RATE + (stalls if index > first else 0.0))
        if wait.over:
            return index
        assert wait.asking
    return frames


def test_a_plan_without_the_demand_asks_nobody() -> None:
    wait = MouthWait(seconds=0.0)
    assert wait.over
    wait.take(scan(), 3.0, arrival=3.0)
    assert (wait.asking, wait.request) == (False, None)


def test_the_wait_ends_when_the_mouth_is_open() -> None:
    wait = MouthWait(seconds=5.0)
    assert not wait.over
    assert wait.request == MouthRequest(asked_at=None)
    assert _play(wait, opened_from=35) == 36
    assert wait.request == MouthRequest(asked_at=19 / RATE)
    assert not wait.asking


def test_the_wait_ends_after_its_time() -> None:
    wait = MouthWait(seconds=2.0)
    assert _play(wait, opened_from=1000) == 19 + 2 * RATE
    assert wait.request == MouthRequest(asked_at=19 / RATE)


def test_the_wait_ends_by_the_servers_clock_if_the_device_stops_its_own() -> None:
    wait = MouthWait(seconds=5.0)
    assert _play(wait, opened_from=30, stalls=8.0) == 21
    assert wait.request == MouthRequest(asked_at=19 / RATE)
