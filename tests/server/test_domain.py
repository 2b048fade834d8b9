"""The order of modes, and the limits over several checks."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.configuration.tables import FailureSettings
from server.domain.terms import (
    CheckStatus,
    FailureReason,
    Mode,
)
from server.domain.tries import (
    Standing,
    TryOutcome,
    TryRules,
    judge_tries,
    portrait_mark,
    subject_mark,
    try_outcome,
)


def test_modes_are_in_order() -> None:
    assert Mode.EXPRESS.strength < Mode.DYNAMIC.strength


# The limits over several checks, as a pure function of the history.

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RULES = FailureSettings().as_setting().real
_R = FailureReason

_SECONDS = st.lists(st.integers(0, 200_000), max_size=40)
_RULES = st.builds(
    lambda maximum, window, lock, further, longer: TryRules(
        maximum=maximum,
        window=timedelta(seconds=window),
        lock=timedelta(seconds=lock),
        block_maximum=maximum + further,
        block=timedelta(seconds=lock + longer),
    ),
    st.integers(1, 6),
    st.integers(1, 400),
    st.integers(1, 4_000),
    st.integers(0, 20),
    st.integers(0, 90_000),
)


def _at(*seconds: float) -> list[datetime]:
    return [NOW + timedelta(seconds=one) for one in seconds]


def _history(
    failures: Iterable[datetime], *, running: int = 0, outcome: TryOutcome = TryOutcome.FAILED
) -> list[tuple[TryOutcome, datetime]]:
    return [
        *((outcome, one) for one in failures),
        *[(TryOutcome.BEGUN, NOW)] * running,
        (TryOutcome.CREATED, NOW),
    ]


def _judged(
    *seconds: float, at: float, running: int = 0, outcome: TryOutcome = TryOutcome.FAILED
) -> tuple[Standing, float]:
    now = NOW + timedelta(seconds=at)
    history = _history(_at(*seconds), running=running, outcome=outcome)
    standing, until = judge_tries(history, rules=RULES, now=now)
    return standing, (until - NOW).total_seconds()


def test_five_failures_within_three_minutes_bring_a_lock_of_half_an_hour() -> None:
    assert _judged(0, 10, 20, 30, at=40) == (Standing.ALLOWED, 40)
    assert _judged(0, 10, 20, 30, 40, at=41) == (Standing.LOCKED, 40 + 1800)
    assert _judged(0, 10, 20, 30, 40, at=40 + 1800) == (Standing.ALLOWED, 40 + 1800)
    assert _judged(0, 100, 200, 300, 400, at=401) == (Standing.ALLOWED, 401)


def test_scans_that_run_count_until_they_are_decided() -> None:
    assert _judged(0, 10, at=20, running=2)[0] is Standing.ALLOWED
    assert _judged(0, 10, at=20, running=3) == (Standing.BUSY, 30)


def test_checks_left_early_or_failed_by_conditions_count_a_quarter() -> None:
    assert _judged(*range(16), at=20, outcome=TryOutcome.UNCLEAR)[0] is Standing.ALLOWED
    assert _judged(*range(16), at=20, running=1, outcome=TryOutcome.UNCLEAR)[0] is Standing.BUSY
    assert _judged(*range(20), at=20, outcome=TryOutcome.UNCLEAR) == (Standing.LOCKED, 19 + 1800)


def test_twenty_failures_of_a_day_bring_a_block_however_they_are_spread() -> None:
    slowly = [each * 200 for each in range(20)]
    assert _judged(*slowly[:-1], at=3_700)[0] is Standing.ALLOWED
    assert _judged(*slowly[:-1], at=3_700, running=1)[0] is Standing.BUSY
    assert _judged(*slowly, at=3_801) == (Standing.BLOCKED, 3_800 + 86_400)


def test_the_fourth_lock_of_a_day_is_a_block_of_a_day() -> None:
    failures = [lock * 2000 + each for lock in range(4) for each in range(5)]
    assert _judged(*failures[:15], at=4010)[0] is Standing.LOCKED
    assert _judged(*failures, at=6010) == (Standing.BLOCKED, 6004 + 86_400)
    assert _judged(*failures, at=6004 + 86_400)[0] is Standing.ALLOWED


@given(seconds=_SECONDS, rules=_RULES, running=st.integers(0, 8), at=st.integers(0, 300_000))
def test_a_refusal_states_the_time_to_retry(
    seconds: list[int], rules: TryRules, running: int, at: int
) -> None:
    now = NOW + timedelta(seconds=at)
    failures = [one for one in _at(*seconds) if one <= now]
    standing, until = judge_tries(_history(failures, running=running), rules=rules, now=now)
    assert (standing is Standing.ALLOWED) == (until == now)
    assert until >= now
    assert until - now <= max(rules.lock, rules.block, timedelta(seconds=10))
    if running >= rules.maximum:
        assert standing is not Standing.ALLOWED
    if standing in {Standing.LOCKED, Standing.BLOCKED}:
        # The lock ends when it was said to end, if nothing fails meanwhile.
        last = until - timedelta(microseconds=1)
        assert judge_tries(_history(failures), rules=rules, now=last)[0] is standing
        assert judge_tries(_history(failures), rules=rules, now=until)[0] in {
            Standing.ALLOWED,
            Standing.BUSY,
        }


@given(rules=_RULES, gaps=st.lists(st.integers(0, 500), max_size=60))
def test_no_more_failures_come_about_than_the_rules_allow(rules: TryRules, gaps: list[int]) -> None:
    failures: list[datetime] = []
    now = NOW
    for gap in gaps:
        now += timedelta(seconds=gap)
        if judge_tries(_history(failures), rules=rules, now=now)[0] is Standing.ALLOWED:
            failures.append(now)
    for failure in failures:
        within = [one for one in failures if failure <= one < failure + min(rules.window, rules.lock)]
        assert len(within) <= rules.maximum
        assert sum(failure <= one < failure + rules.block for one in failures) <= rules.block_maximum


@pytest.mark.parametrize(
    ("reasons", "frames_counted", "counts"),
    [
        ([_R.SPOOF], False, TryOutcome.ATTACK),
        ([_R.DEVICE_MANIPULATED], True, TryOutcome.ATTACK),
        ([_R.ABANDONED, _R.IDENTITY_CHANGED], True, TryOutcome.ATTACK),
        ([_R.CONDITIONS, _R.SPOOF], True, TryOutcome.ATTACK),
        ([_R.NOT_SAME_PERSON], True, TryOutcome.FAILED),
        ([_R.TRANSCRIPT_BROKEN], False, TryOutcome.FAILED),
        ([_R.LIVENESS_INCONCLUSIVE], True, TryOutcome.FAILED),
        ([_R.ABANDONED], True, TryOutcome.FAILED),
        ([_R.CANCELLED], True, TryOutcome.FAILED),
        ([_R.EXPIRED], True, TryOutcome.FAILED),
        ([_R.ABANDONED], False, TryOutcome.UNCLEAR),
        ([_R.EXPIRED], False, TryOutcome.UNCLEAR),
        ([_R.CONDITIONS], True, TryOutcome.UNCLEAR),
        ([_R.CONDITIONS, _R.LIVENESS_INCONCLUSIVE], True, TryOutcome.UNCLEAR),
    ],
)
def test_only_failures_of_the_person_count_as_tries(
    reasons: list[FailureReason], frames_counted: bool, counts: TryOutcome
) -> None:
    assert try_outcome(CheckStatus.FAILURE, reasons, frames_counted=frames_counted) is counts


def test_neither_success_nor_a_fault_of_the_server_counts() -> None:
    assert try_outcome(CheckStatus.SUCCESS, [], frames_counted=True) is None
    assert try_outcome(CheckStatus.NOT_DECIDED, [_R.SERVER_FAULT], frames_counted=True) is None


def test_a_subject_is_the_same_however_its_reference_is_typed() -> None:
    key = bytes(32)
    plain = subject_mark("Ren\u00e9e-7", tenant_key=key)
    assert subject_mark(" Rene\u0301e-7\n", tenant_key=key) == plain
    assert subject_mark("ren\u00e9e-7", tenant_key=key) != plain


def test_marks_differ_between_tenants_and_kinds() -> None:
    one, two = bytes(32), bytes([1]) * 32
    marks = {
        subject_mark("a", tenant_key=one).mark,
        subject_mark("a", tenant_key=two).mark,
        subject_mark("b", tenant_key=one).mark,
        portrait_mark(b"a", tenant_key=one).mark,
    }
    assert len(marks) == 4
    assert {len(mark) for mark in marks} == {32}
