"""The wait for the motion of a person who kept still."""

import pytest

from attempt.motion_wait import MotionWait
from liveness.observation import ScanObservations
from tests.liveness.builders import scan


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The answers of the measurement, which are taken from the front; the last one stays."""
    answers: list[bool] = []

    def has_sign_of_life(seen: ScanObservations) -> bool:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr("attempt.motion_wait.has_sign_of_life", has_sign_of_life)
    return answers


def test_no_turn_is_requested_of_a_person_that_moved(measured: list[bool]) -> None:
    measured.append(True)
    wait = MotionWait(seconds=4.0)
    wait.take(scan(), 5.0)
    assert wait.over
    assert not wait.asking


def test_a_turn_is_requested_until_the_head_turns(measured: list[bool]) -> None:
    measured.extend([False, False, True])
    wait = MotionWait(seconds=4.0)
    wait.take(scan(), 5.0)
    assert wait.asking
    wait.take(scan(), 5.5)
    assert wait.asking
    wait.take(scan(), 6.0)
    assert wait.over
    assert not wait.asking


def test_the_wait_ends_without_motion(measured: list[bool]) -> None:
    measured.append(False)
    wait = MotionWait(seconds=4.0)
    for time in (5.0, 6.0, 8.9):
        wait.take(scan(), time)
        assert wait.asking
    wait.take(scan(), 9.0)
    assert wait.over


def test_the_motion_is_measured_a_few_times_a_second(measured: list[bool]) -> None:
    measured.extend([False, True])
    wait = MotionWait(seconds=4.0)
    wait.take(scan(), 5.0)
    wait.take(scan(), 5.1)
    assert wait.asking
    assert measured == [True]


def test_a_plan_without_time_for_it_waits_for_nothing() -> None:
    wait = MotionWait(seconds=0.0)
    assert wait.over
    wait.take(scan(), 5.0)
    assert not wait.asking
