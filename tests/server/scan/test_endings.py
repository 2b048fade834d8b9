"""The state machine of endings: every rule, and the invariants over all endings and all facts."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.base.errors import Reason, Refusal
from server.checks.running import CheckClosing
from server.domain.terms import AttemptOutcome, CheckState, EndedBy
from server.scan.endings import (
    NO_FACTS,
    RULES,
    TAMPERING,
    AttemptFacts,
    Ending,
    Images,
    LeaseLost,
    ScanDeadlinePassed,
    State,
    ending_of,
    follow,
    settle_left,
    settle_signed,
)
from server.scan.inbox import ConnectionLost, StreamEnded
from server.storage.errors import Conflict, StorageUnavailable
from server.verdict import FailureReason

_CONFLICT = Conflict("the lease is another's", state=CheckState.SCANNING, lease_epoch=2)
_BROKEN, _CANCELLED = FailureReason.TRANSCRIPT_BROKEN, FailureReason.CANCELLED

ERRORS: list[tuple[BaseException | None, Ending, FailureReason | None]] = [
    # The error, the event that ended the stream, and the reason to close its check (None: it stays open).
    (None, Ending(EndedBy.SERVER_STOPPED), None),
    (StreamEnded(), Ending(EndedBy.HALF_CLOSED), FailureReason.ABANDONED),
    (ConnectionLost(), Ending(EndedBy.CONNECTION_LOST), None),
    (asyncio.CancelledError(), Ending(EndedBy.CONNECTION_LOST), None),
    (LeaseLost(), Ending(EndedBy.SUPERSEDED), None),
    (_CONFLICT, Ending(EndedBy.SUPERSEDED), None),
    (Refusal(Reason.STREAM_IDLE, "idle"), Ending(EndedBy.REFUSED), None),
    *((Refusal(reason, "broken"), Ending(EndedBy.REFUSED, _BROKEN), _BROKEN) for reason in sorted(TAMPERING)),
    (ScanDeadlinePassed(), Ending(EndedBy.DEADLINE), FailureReason.EXPIRED),
    (CheckClosing(_CANCELLED), Ending(EndedBy.CHECK_CLOSED, _CANCELLED), _CANCELLED),
    (
        CheckClosing(FailureReason.INTERRUPTED),
        Ending(EndedBy.CHECK_CLOSED, FailureReason.INTERRUPTED),
        FailureReason.INTERRUPTED,
    ),
    (StorageUnavailable("away"), Ending(EndedBy.SERVER_FAULT), None),
    (ZeroDivisionError(), Ending(EndedBy.SERVER_FAULT), None),
]

_flag = st.booleans()
_facts = st.builds(
    AttemptFacts, counts=_flag, adverse=_flag, stands=_flag, retryable=_flag, doubted=_flag, manipulated=_flag
)
_endings = st.sampled_from([ending for _, ending, _ in ERRORS])


@pytest.mark.parametrize(("error", "ending", "closes"), ERRORS, ids=lambda each: type(each).__name__)
def test_the_raised_error_determines_the_ending(
    error: BaseException | None, ending: Ending, closes: FailureReason | None
) -> None:
    assert ending_of(error, failed=False, draining=False, cancelled=False) == ending
    assert ending.closes is closes


def test_every_ending_but_the_signed_one_has_a_rule_and_an_error() -> None:
    assert RULES.keys() == set(EndedBy) - {EndedBy.SIGNED}
    assert {ending.by for _, ending, _ in ERRORS} == RULES.keys()


@pytest.mark.parametrize("error", [ConnectionLost(), asyncio.CancelledError()])
def test_a_line_that_is_cut_is_the_devices_doing_unless_the_server_failed_or_stops(
    error: BaseException,
) -> None:
    stops = ending_of(error, failed=False, draining=True, cancelled=False)
    assert stops.by is EndedBy.SERVER_STOPPED
    for draining in (False, True):
        failed = ending_of(error, failed=True, draining=draining, cancelled=False)
        assert failed.by is EndedBy.SERVER_FAULT


def test_a_device_that_cancels_and_leaves_has_cancelled() -> None:
    assert ending_of(StreamEnded(), failed=False, draining=False, cancelled=True).closes is _CANCELLED


@pytest.mark.parametrize("ended_by", EndedBy)
def test_an_attempt_is_signed_once_and_left_once(ended_by: EndedBy) -> None:
    if ended_by is EndedBy.SIGNED:
        assert follow(State.RUNNING, ended_by) is State.SIGNED
    else:
        assert follow(State.RUNNING, ended_by) is follow(State.SIGNED, ended_by) is State.LEFT
    for state in (State.SIGNED, State.LEFT) if ended_by is EndedBy.SIGNED else (State.LEFT,):
        with pytest.raises(ValueError, match=state):
            follow(state, ended_by)


def test_each_ending_determines_return_and_blame() -> None:
    comes_back = {by for by, rule in RULES.items() if rule.resumable}
    assert comes_back == {
        EndedBy.CONNECTION_LOST,
        EndedBy.REFUSED,
        EndedBy.SERVER_FAULT,
        EndedBy.SERVER_STOPPED,
    }
    closed = {by for by, rule in RULES.items() if rule.closes is not None}
    assert closed == {EndedBy.HALF_CLOSED, EndedBy.DEADLINE, EndedBy.CHECK_CLOSED}
    assert RULES.keys() - comes_back - closed == {EndedBy.SUPERSEDED}
    assert {by for by, rule in RULES.items() if rule.without_frames} == {
        EndedBy.SERVER_FAULT,
        EndedBy.SERVER_STOPPED,
    }
    assert {by for by, rule in RULES.items() if rule.fenced is not EndedBy.SUPERSEDED} == {
        EndedBy.SERVER_FAULT
    }


@given(facts=_facts, ending=_endings)
def test_leaving_changes_no_earlier_finding(facts: AttemptFacts, ending: Ending) -> None:
    settled = settle_left(facts, ending)
    against = facts.manipulated or (facts.counts and facts.stands)
    assert settled.outcome is (AttemptOutcome.DECIDED if against else AttemptOutcome.INTERRUPTED)
    if against:
        # Independent of the cause of the end and of the holder of the lease.
        assert (settled.judgement, settled.images) == (True, Images.NAMED)
        assert settled.reason is (_BROKEN if ending.reason is _BROKEN else None)
        return
    assert settled.reason is None
    assert settled.judgement == (facts.counts and not facts.adverse and ending.by is not EndedBy.SERVER_FAULT)
    nobody_keeps = ending.by in {EndedBy.SUPERSEDED, EndedBy.SERVER_FAULT}
    assert settled.images is (Images.NONE if nobody_keeps else Images.ALL_OR_NONE)


@given(ending=_endings)
def test_an_unjudged_attempt_decides_nothing(ending: Ending) -> None:
    settled = settle_left(NO_FACTS, ending)
    assert settled.outcome is AttemptOutcome.INTERRUPTED
    assert not settled.judgement


@given(facts=_facts, another=_flag, cancelled=_flag)
def test_only_conditions_and_cancelled_attempts_are_retried(
    facts: AttemptFacts, another: bool, cancelled: bool
) -> None:
    settled = settle_signed(facts, another=another, cancelled=cancelled)
    undecided = not facts.manipulated and (facts.retryable or (cancelled and not facts.adverse))
    assert (settled.outcome is AttemptOutcome.RETRY) == (undecided and another)
    assert settled.outcome is not AttemptOutcome.INTERRUPTED
    assert settled.judgement
    if undecided and not another:
        conditions = None if facts.doubted else FailureReason.CONDITIONS
        assert settled.reason is (_CANCELLED if cancelled else conditions)
    else:
        assert settled.reason is None
    # Only an adverse judgement holds without its evidence.
    against = facts.adverse or facts.manipulated
    assert settled.images is (Images.NAMED if against else Images.NEEDED)
