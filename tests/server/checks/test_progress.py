"""The state of a check, derived from its record."""

from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from liveness import VerdictReason
from server.checks.progress import CheckProgress, ProgressState, most_attempts, progress_of
from server.domain.terms import AttemptOutcome, CheckState
from server.policies import Policy, load_policies, parse_policy
from server.verdict import FailureReason
from tests.server.scan.records import NOW, attempt_record, check_record

_S = ProgressState


def _policy() -> Policy:
    source = (files("server.policies") / "shipped" / "standard.toml").read_bytes()
    return parse_policy(source, origin="standard").policy


POLICY = _policy()


def _after(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def _progress(*attempts: Any, at: float = 0, **changes: Any) -> CheckProgress:
    return progress_of(check_record(**changes), attempts, policy=POLICY, now=_after(at))


def _lost(**changes: Any) -> dict[str, Any]:
    return {"state": CheckState.WAITING, "streams": 1, "resume_until": _after(20)} | changes


@pytest.mark.parametrize(
    ("at", "record", "state"),
    [
        (0, {}, _S.WAITING),
        (179, {}, _S.WAITING),
        (180, {}, _S.EXPIRED),
        (9, {"state": CheckState.SCANNING, "lease_until": _after(15)}, _S.SCANNING),
        (15, {"state": CheckState.SCANNING, "lease_until": _after(15)}, _S.INTERRUPTED),
        # A stream that holds its check at the deadline ends it itself.
        (181, {"state": CheckState.SCANNING, "lease_until": _after(190)}, _S.SCANNING),
        (191, {"state": CheckState.SCANNING, "lease_until": _after(190)}, _S.EXPIRED),
        (9, _lost(), _S.INTERRUPTED),
        (30, _lost(), _S.INTERRUPTED),
        (180, _lost(), _S.EXPIRED),
        (9, {"state": CheckState.DECIDED}, _S.DECIDED),
        (9, {"state": CheckState.DECIDED, "reasons": (FailureReason.SPOOF,)}, _S.DECIDED),
        (9, {"state": CheckState.DECIDED, "reasons": (FailureReason.EXPIRED,)}, _S.EXPIRED),
        (9, {"state": CheckState.FINISHED, "reasons": (FailureReason.EXPIRED,)}, _S.CLOSED),
    ],
)
def test_the_progress_states_the_state(at: float, record: dict[str, Any], state: ProgressState) -> None:
    progress = _progress(at=at, **record)
    assert progress.state is state
    assert progress.over is (state in {_S.DECIDED, _S.CLOSED, _S.EXPIRED})
    assert (progress.resumable_until is None) or state is _S.INTERRUPTED


def test_a_lost_scan_may_be_resumed_until_its_time_is_over_or_the_deadline() -> None:
    assert _progress(at=9, **_lost()).resumable_until == _after(20)
    assert _progress(at=170, **_lost(resume_until=_after(185))).resumable_until == _after(180)


def test_the_scan_of_a_replica_that_died_may_be_resumed_after_its_lease() -> None:
    dead = {"state": CheckState.SCANNING, "streams": 1, "lease_until": _after(15)}
    assert _progress(at=16, **dead).resumable_until == _after(15 + POLICY.deadlines.resume_seconds)
    assert POLICY.deadlines.resume_seconds == 20


def test_the_scan_of_a_device_that_may_not_come_back_may_not_be_resumed() -> None:
    counted = [attempt_record(n, counted=True, outcome=AttemptOutcome.RETRY) for n in (1, 2, 3)]
    assert POLICY.attempts.maximum == 3
    assert _progress(*counted[:2], at=9, **_lost()).resumable_until is not None
    assert _progress(*counted, at=9, **_lost()).resumable_until is None
    judged = attempt_record(1, outcome=AttemptOutcome.DECIDED)
    assert _progress(judged, at=9, **_lost()).resumable_until is None
    assert _progress(at=9, **_lost(closing=FailureReason.CANCELLED)).resumable_until is None
    most = POLICY.attempts.reconnects
    assert _progress(at=9, **_lost(streams=most)).resumable_until is not None
    assert _progress(at=9, **_lost(streams=most + 1)).resumable_until is None


def test_doubt_allows_one_attempt_more() -> None:
    doubts = (VerdictReason.NOT_SURE,)
    counted = [attempt_record(n, counted=True, outcome=AttemptOutcome.RETRY) for n in (1, 2)]
    last = attempt_record(3, counted=True, outcome=AttemptOutcome.RETRY, doubts=doubts)
    assert _progress(*counted, last, at=9, **_lost()).attempts_remaining == 1
    further = attempt_record(4, counted=True, outcome=AttemptOutcome.RETRY, doubts=doubts)
    assert _progress(*counted, last, further, at=9, **_lost()).attempts_remaining == 0


def test_a_scan_that_begins_with_a_challenge_gets_no_further_one_for_doubt() -> None:
    adaptive = load_policies().get("adaptive").policy
    doubted = attempt_record(1, counted=True, outcome=AttemptOutcome.RETRY, doubts=(VerdictReason.NOT_SURE,))
    assert most_attempts([doubted], POLICY) == POLICY.attempts.maximum + 1
    assert most_attempts([doubted], adaptive) == adaptive.attempts.maximum


def test_attempts_that_count_are_taken_from_those_that_remain() -> None:
    attempts = attempt_record(1, counted=True), attempt_record(2)
    scanning = {"state": CheckState.SCANNING, "lease_until": _after(15)}
    progress = _progress(*attempts, **scanning)
    assert progress.attempts_remaining == 2
    assert [attempt.attempt for attempt in progress.attempts] == [1, 2]
    assert _progress(*attempts, state=CheckState.DECIDED).attempts_remaining == 0
