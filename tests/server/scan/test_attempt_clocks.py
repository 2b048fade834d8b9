"""The time limits of an attempt and of silence."""

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.errors import Reason, Refusal
from server.scan.attempt import AttemptClocks
from server.scan.endings import ScanDeadlinePassed
from server.scan.messages import CaptureBudget
from tests.server.scan.records import NOW, check_record

_SECONDS, _IDLE, _END, _DEADLINE = 20, 10, 5.0, 60


@dataclass
class _Time:
    passed: float = 0.0

    def clocks(self) -> AttemptClocks:
        clock = SimpleNamespace(
            monotonic=lambda: 1000.0 + self.passed, now=lambda: NOW + timedelta(seconds=self.passed)
        )
        settings = SimpleNamespace(end_seconds=_END)
        deadlines = SimpleNamespace(idle_seconds=_IDLE)
        stream = SimpleNamespace(
            policy=SimpleNamespace(deadlines=deadlines),
            budget=CaptureBudget(max_attempt_seconds=_SECONDS),
            record=check_record(scan_deadline=NOW + timedelta(seconds=_DEADLINE)),
        )
        env = SimpleNamespace(clock=clock, settings=settings)
        return AttemptClocks(cast("Any", env), cast("Any", stream))

    @property
    def now(self) -> float:
        return 1000.0 + self.passed


def test_the_clock_waits_for_the_next_due_time() -> None:
    time = _Time()
    clocks = time.clocks()
    assert clocks.wait([time.now + 3.0, time.now + 7.0]) == 3.0
    assert clocks.wait([]) == _IDLE
    time.passed = 8.0
    clocks.note_activity()
    assert clocks.wait([]) == _IDLE
    time.passed = 12.0
    clocks.note_activity()
    assert clocks.wait([]) == _SECONDS - 12.0, "then it is the attempt's end"
    time.passed = _DEADLINE - 2.0
    clocks.begin()
    assert clocks.wait([]) == 2.0, "and at last the scan's"
    assert clocks.wait([time.now - 1.0]) == 0.0


def test_an_attempt_is_overdue_until_it_is_complete() -> None:
    time = _Time()
    clocks = time.clocks()
    assert not clocks.overdue(time.now + _SECONDS - 0.1)
    assert clocks.overdue(time.now + _SECONDS)
    clocks.completed = time.now + _SECONDS
    assert not clocks.overdue(time.now + _SECONDS)
    assert clocks.wait([]) == _IDLE


def test_a_device_that_knows_the_completion_has_time_to_send_the_end() -> None:
    time = _Time()
    clocks = time.clocks()
    clocks.completed = time.now
    assert clocks.wait([]) == _END
    clocks.require_activity(time.now + _END - 0.1)
    with pytest.raises(Refusal, match="`attempt_end` did not arrive for 5 seconds") as caught:
        clocks.require_activity(time.now + _END)
    assert caught.value.reason is Reason.STREAM_IDLE


def test_silence_is_reported_with_its_length() -> None:
    time = _Time()
    clocks = time.clocks()
    clocks.require_activity(time.now + _IDLE - 0.1)
    with pytest.raises(Refusal, match="nothing arrived for 10 seconds") as caught:
        clocks.require_activity(time.now + _IDLE)
    assert caught.value.details == {"idleSeconds": _IDLE}


def test_the_scans_deadline_ends_everything() -> None:
    time = _Time(passed=_DEADLINE - 0.1)
    clocks = time.clocks()
    clocks.require_before_deadline()
    time.passed = _DEADLINE
    with pytest.raises(ScanDeadlinePassed):
        clocks.require_before_deadline()
