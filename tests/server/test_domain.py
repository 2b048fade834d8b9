"""The limits over several checks, and the states and steps of a review."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.configuration.tables import FailureSettings
from server.domain.reviews import (
    Review,
    ReviewCause,
    ReviewDecision,
    ReviewError,
    ReviewOutcome,
    ReviewReason,
    ReviewState,
    in_sample,
)
from server.domain.terms import (
    CheckStatus,
    FailureReason,
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
        ([_R.LIVENESS_INCONCLUSIVE], True, TryOutcome.FAILED),
        ([_R.ABANDONED], True, TryOutcome.FAILED),
        ([_R.EXPIRED], True, TryOutcome.FAILED),
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


# The states and steps of a review, and the sample that is reviewed.

_BEGUN = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def _after(seconds: float) -> datetime:
    return _BEGUN + timedelta(seconds=seconds)


def _review(*, four_eyes: bool = False) -> Review:
    return Review(
        check_id=uuid4(),
        tenant="bank",
        sandbox=False,
        created_by="maker",
        result_sha256=bytes(32),
        causes=(ReviewCause.SAMPLE,),
        four_eyes=four_eyes,
        claim_seconds=60,
        create_time=_BEGUN,
        expire_time=_after(600),
    )


def _decision(reviewer: str, outcome: ReviewOutcome, seconds: float) -> ReviewDecision:
    return ReviewDecision(
        reviewer=reviewer, outcome=outcome, reason=ReviewReason.SAME_PERSON, decide_time=_after(seconds)
    )


def test_a_claimed_review_is_decided_by_its_holder_alone() -> None:
    claimed = _review().claimed("anna", _BEGUN)
    assert (claimed.state(_BEGUN), claimed.holder(_BEGUN)) == (ReviewState.CLAIMED, "anna")
    with pytest.raises(ReviewError, match="somebody else") as caught:
        claimed.claimed("bert", _after(59))
    assert caught.value.details == {"claimExpireTime": _after(60).isoformat()}
    with pytest.raises(ReviewError, match="do not hold"):
        claimed.decided(_decision("bert", ReviewOutcome.ALLOW, 1))
    decided = claimed.decided(_decision("anna", ReviewOutcome.DENY, 59))
    assert (decided.state(_after(10_000)), decided.outcome) == (ReviewState.DECIDED, ReviewOutcome.DENY)
    for again in (claimed.claimed("anna", _after(59)), _review()):
        with pytest.raises(ReviewError, match="is over"):
            replace(again, outcome=ReviewOutcome.DENY).decided(_decision("anna", ReviewOutcome.ALLOW, 60))


def test_a_claim_lapses_and_its_holder_keeps_it_by_claiming_again() -> None:
    claimed = _review().claimed("anna", _BEGUN)
    assert claimed.state(_after(60)) is ReviewState.OPEN
    with pytest.raises(ReviewError, match="do not hold"):
        claimed.decided(_decision("anna", ReviewOutcome.ALLOW, 60))
    assert claimed.claimed("bert", _after(60)).holder(_after(60)) == "bert"
    assert claimed.claimed("anna", _after(50)).holder(_after(100)) == "anna"
    released = claimed.released("anna", _after(1))
    assert released.state(_after(1)) is ReviewState.OPEN
    with pytest.raises(ReviewError, match="do not hold"):
        released.released("anna", _after(2))


def test_nobody_reviews_a_check_that_they_created_or_decides_twice() -> None:
    with pytest.raises(ReviewError, match="another person"):
        _review().claimed("maker", _BEGUN)
    first = _review(four_eyes=True).claimed("anna", _BEGUN).decided(_decision("anna", ReviewOutcome.ALLOW, 1))
    assert first.state(_after(1)) is ReviewState.AWAITING_SECOND
    with pytest.raises(ReviewError, match="another person"):
        first.claimed("anna", _after(2))


@pytest.mark.parametrize("one", ReviewOutcome)
@pytest.mark.parametrize("other", ReviewOutcome)
def test_two_people_must_agree_where_the_policy_demands_it(one: ReviewOutcome, other: ReviewOutcome) -> None:
    first = _review(four_eyes=True).claimed("anna", _BEGUN).decided(_decision("anna", one, 1))
    if one is ReviewOutcome.ESCALATE:
        assert first.outcome is ReviewOutcome.ESCALATE
        return
    assert first.outcome is None
    second = first.claimed("bert", _after(2)).decided(_decision("bert", other, 3))
    assert second.outcome is (one if one is other else ReviewOutcome.ESCALATE)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["anna", "bert", "clara", "maker"]),
        st.sampled_from(["claim", "release", *ReviewOutcome]),
        st.integers(0, 90),
    ),
    max_size=30,
)


def _taken(review: Review, actor: str, step: str, now: int) -> Review | ReviewError:
    try:
        if step == "claim":
            return review.claimed(actor, _after(now))
        if step == "release":
            return review.released(actor, _after(now))
        return review.decided(_decision(actor, ReviewOutcome(step), now))
    except ReviewError as error:
        return error


@given(four_eyes=st.booleans(), steps=_STEPS)
def test_no_order_of_steps_breaks_a_rule(four_eyes: bool, steps: list[tuple[str, str, int]]) -> None:
    review, now = _review(four_eyes=four_eyes), 0
    held_by, held_until = "", 0
    for actor, step, seconds in steps:
        now += seconds
        over = review.state(_after(now)) in {ReviewState.DECIDED, ReviewState.EXPIRED}
        later = _taken(review, actor, step, now)
        assert (isinstance(later, ReviewError) and later.reason == "REVIEW_OVER") == over
        if isinstance(later, ReviewError):
            continue
        # Only the holder of a claim that has not lapsed goes on.
        assert later.revision == review.revision + 1
        if step == "claim":
            assert actor == held_by or now >= held_until
            held_by, held_until = actor, min(now + 60, 600)
        else:
            assert (actor, now < held_until) == (held_by, True)
            held_by, held_until = "", 0
        review = later
        reviewers = [one.reviewer for one in review.decisions]
        assert "maker" not in reviewers
        assert len(set(reviewers)) == len(reviewers)
        assert all(one.decide_time < review.expire_time for one in review.decisions)
        given_ = {one.outcome for one in review.decisions}
        if review.outcome is not None and review.outcome is not ReviewOutcome.ESCALATE:
            assert given_ == {review.outcome}
            assert len(reviewers) == 1 + four_eyes
        assert (review.outcome is None) == (len(reviewers) < 1 + four_eyes and given_ <= _NOT_FINAL)


_NOT_FINAL = frozenset(ReviewOutcome) - {ReviewOutcome.ESCALATE}


@given(st.uuids(), st.floats(0, 100), st.floats(0, 100))
def test_a_larger_sample_contains_the_smaller(check_id: UUID, one: float, other: float) -> None:
    small, large = sorted((one, other))
    drawn = partial(in_sample, check_id, tenant_key=b"key")
    assert drawn(large) or not drawn(small)
    assert drawn(100)
    assert not drawn(0)


def _drawn(key: bytes) -> set[int]:
    return {number for number in range(20_000) if in_sample(UUID(int=number), 5.0, tenant_key=key)}


def test_the_sample_is_as_large_as_stated_and_only_the_key_tells_it() -> None:
    # Fixed, so that an auditor's program draws the same checks.
    assert in_sample(UUID(int=1), 50.0, tenant_key=b"key")
    one, other = _drawn(b"one key"), _drawn(b"another key")
    assert one == _drawn(b"one key")
    assert 900 < len(one) < 1100
    assert len(one & other) < 100
