"""The states and steps of a review, and the sample that is reviewed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def begun(*, four_eyes: bool = False) -> Review:
    return Review(
        check_id=uuid4(),
        tenant="bank",
        sandbox=False,
        created_by="maker",
        result_sha256=bytes(32),
        causes=(ReviewCause.SAMPLE,),
        four_eyes=four_eyes,
        claim_seconds=60,
        create_time=NOW,
        expire_time=after(600),
    )


def decision(reviewer: str, outcome: ReviewOutcome, seconds: float) -> ReviewDecision:
    return ReviewDecision(
        reviewer=reviewer, outcome=outcome, reason=ReviewReason.SAME_PERSON, decide_time=after(seconds)
    )


def test_a_claimed_review_is_decided_by_its_holder_alone() -> None:
    claimed = begun().claimed("anna", NOW)
    assert (claimed.state(NOW), claimed.holder(NOW)) == (ReviewState.CLAIMED, "anna")
    with pytest.raises(ReviewError, match="somebody else") as caught:
        claimed.claimed("bert", after(59))
    assert caught.value.details == {"claimExpireTime": after(60).isoformat()}
    with pytest.raises(ReviewError, match="do not hold"):
        claimed.decided(decision("bert", ReviewOutcome.ALLOW, 1))
    decided = claimed.decided(decision("anna", ReviewOutcome.DENY, 59))
    assert (decided.state(after(10_000)), decided.outcome) == (ReviewState.DECIDED, ReviewOutcome.DENY)
    for again in (claimed.claimed("anna", after(59)), begun()):
        with pytest.raises(ReviewError, match="is over"):
            replace(again, outcome=ReviewOutcome.DENY).decided(decision("anna", ReviewOutcome.ALLOW, 60))


def test_a_claim_lapses_and_its_holder_keeps_it_by_claiming_again() -> None:
    claimed = begun().claimed("anna", NOW)
    assert claimed.state(after(60)) is ReviewState.OPEN
    with pytest.raises(ReviewError, match="do not hold"):
        claimed.decided(decision("anna", ReviewOutcome.ALLOW, 60))
    assert claimed.claimed("bert", after(60)).holder(after(60)) == "bert"
    assert claimed.claimed("anna", after(50)).holder(after(100)) == "anna"
    released = claimed.released("anna", after(1))
    assert released.state(after(1)) is ReviewState.OPEN
    with pytest.raises(ReviewError, match="do not hold"):
        released.released("anna", after(2))


def test_nobody_reviews_a_check_that_they_created_or_decides_twice() -> None:
    with pytest.raises(ReviewError, match="another person"):
        begun().claimed("maker", NOW)
    first = begun(four_eyes=True).claimed("anna", NOW).decided(decision("anna", ReviewOutcome.ALLOW, 1))
    assert first.state(after(1)) is ReviewState.AWAITING_SECOND
    with pytest.raises(ReviewError, match="another person"):
        first.claimed("anna", after(2))


@pytest.mark.parametrize("one", ReviewOutcome)
@pytest.mark.parametrize("other", ReviewOutcome)
def test_two_people_must_agree_where_the_policy_demands_it(one: ReviewOutcome, other: ReviewOutcome) -> None:
    first = begun(four_eyes=True).claimed("anna", NOW).decided(decision("anna", one, 1))
    if one is ReviewOutcome.ESCALATE:
        assert first.outcome is ReviewOutcome.ESCALATE
        return
    assert first.outcome is None
    second = first.claimed("bert", after(2)).decided(decision("bert", other, 3))
    assert second.outcome is (one if one is other else ReviewOutcome.ESCALATE)


def test_an_undecided_review_expires() -> None:
    late = begun().claimed("anna", after(590))
    assert late.claim_expire_time == after(600)
    assert late.state(after(600)) is ReviewState.EXPIRED
    with pytest.raises(ReviewError, match="is over") as caught:
        late.claimed("bert", after(600))
    assert caught.value.details == {"state": "EXPIRED"}
    with pytest.raises(ReviewError, match="is over"):
        late.released("anna", after(600))


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
            return review.claimed(actor, after(now))
        if step == "release":
            return review.released(actor, after(now))
        return review.decided(decision(actor, ReviewOutcome(step), now))
    except ReviewError as error:
        return error


@given(four_eyes=st.booleans(), steps=_STEPS)
def test_no_order_of_steps_breaks_a_rule(four_eyes: bool, steps: list[tuple[str, str, int]]) -> None:
    review, now = begun(four_eyes=four_eyes), 0
    held_by, held_until = "", 0
    for actor, step, seconds in steps:
        now += seconds
        over = review.state(after(now)) in {ReviewState.DECIDED, ReviewState.EXPIRED}
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
