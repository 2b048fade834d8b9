"""Reviews in the database: steps that are raced, lists, expiry and erasure."""

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from server.audit import Actor, AuditAction, AuditEvent
from server.domain.reviews import (
    Review,
    ReviewCause,
    ReviewDecision,
    ReviewOutcome,
    ReviewReason,
    ReviewState,
)
from server.storage.audit_reader import AuditReader
from server.storage.database import Database
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.reviews import ReviewRepository
from server.storage.tables import reviews as table
from tests.server.storage.samples import NOW, after, decision, new_check, new_review

_SERVER = Actor(name="housekeeping", role="server")


@pytest.fixture
def reviews(database: Database) -> ReviewRepository:
    return ReviewRepository(database)


async def _reviewed(
    repository: CheckRepository, *, tenant: str = "default", seconds: float = 0, **changes: object
) -> Review:
    """The review of a check, which the decision on it begins."""
    check = await repository.create(replace(new_check(tenant=tenant), created_by="backend"), None)
    causes = (ReviewCause.SAMPLE, ReviewCause.DOUBT)
    fields = {"tenant": tenant, "causes": causes, "create_time": after(seconds)}
    review = new_review(check.check_id, **(fields | changes))
    await repository.decide(check.check_id, epoch=None, decision=replace(decision(), review=review))
    return review


def _event(review: Review, by: str) -> AuditEvent:
    return AuditEvent(
        tenant=review.tenant,
        action=AuditAction.REVIEW_CLAIMED,
        actor=Actor(name=by, role="reviewer"),
        check_id=review.check_id,
    )


def _decided(review: Review, by: str, now: datetime) -> Review:
    return review.decided(
        ReviewDecision(
            reviewer=by,
            outcome=ReviewOutcome.DENY,
            reason=ReviewReason.OTHER,
            comment="a “twin”",
            decide_time=now,
        )
    )


async def _actions(database: Database, check_id: UUID) -> list[str]:
    entries = await AuditReader(database).entries("default")
    return [one.action for one in entries if one.check_id == str(check_id)]


async def test_the_decision_begins_the_review_and_every_step_is_stored_and_logged(
    database: Database, repository: CheckRepository, reviews: ReviewRepository
) -> None:
    review = await _reviewed(repository)
    stored = await reviews.find(review.check_id, "default")
    assert stored is not None
    assert (stored.review, stored.policy) == (review, "standard")
    assert await reviews.find(review.check_id, "other") is None
    claimed = review.claimed("anna", after(1))
    assert await reviews.change(claimed, event=_event(review, "anna"), now=after(1))
    decided = replace(_decided(claimed, "anna", after(2)), jws="a.b.c")
    assert await reviews.change(decided, event=_event(review, "anna"), now=after(2))
    stored = await reviews.find(review.check_id, "default")
    assert stored is not None
    assert stored.review == decided
    assert await _actions(database, review.check_id) == ["review.opened", *["review.claimed"] * 2]


async def test_of_two_who_claim_at_once_one_is_told_so(
    database: Database, repository: CheckRepository, reviews: ReviewRepository
) -> None:
    review = await _reviewed(repository)
    claims = [review.claimed(by, NOW) for by in ("anna", "bert", "clara", "dora")]
    won = await asyncio.gather(
        *(reviews.change(one, event=_event(one, one.claimed_by or ""), now=NOW) for one in claims)
    )
    assert won.count(True) == 1
    stored = await reviews.find(review.check_id, "default")
    assert stored is not None
    assert stored.review == claims[won.index(True)]
    assert (await _actions(database, review.check_id)).count("review.claimed") == 1


async def test_a_step_of_another_tenant_or_of_an_old_state_changes_nothing(
    repository: CheckRepository, reviews: ReviewRepository
) -> None:
    review = await _reviewed(repository)
    claimed = review.claimed("anna", NOW)
    foreign = replace(claimed, tenant="other")
    assert not await reviews.change(foreign, event=_event(foreign, "anna"), now=NOW)
    assert await reviews.change(claimed, event=_event(review, "anna"), now=NOW)
    # The same step again, as a replayed call would take it.
    assert not await reviews.change(claimed, event=_event(review, "anna"), now=NOW)


async def test_an_erasure_takes_the_review_along_even_while_it_is_claimed(
    database: Database,
    repository: CheckRepository,
    reviews: ReviewRepository,
    retention: RetentionRepository,
) -> None:
    review = await _reviewed(repository)
    claimed = review.claimed("anna", NOW)
    assert await reviews.change(claimed, event=_event(review, "anna"), now=NOW)
    await retention.erase(review.check_id, after(5))
    assert await reviews.find(review.check_id, "default") is None
    late = _decided(claimed, "anna", after(6))
    assert not await reviews.change(late, event=_event(review, "anna"), now=after(6))
    rows = await database.read(lambda connection: connection.scalar(select(func.count()).select_from(table)))
    assert rows == 0
    erased = await repository.get(review.check_id)
    assert erased is not None
    assert erased.created_by == ""


async def test_a_missed_deadline_is_logged_once_and_nothing_follows_it(
    database: Database, repository: CheckRepository, reviews: ReviewRepository
) -> None:
    missed = await _reviewed(repository, expire_time=after(50))
    waiting = await _reviewed(repository, seconds=10)
    await _reviewed(repository, seconds=1, sandbox=True)
    backlog = await reviews.backlog(after(60))
    assert (backlog.open, backlog.oldest, backlog.overdue) == (1, after(10), 1)
    closed = await asyncio.gather(*(reviews.close_overdue(after(60), 100, actor=_SERVER) for _ in range(3)))
    assert sum(closed) == 1
    assert (await reviews.backlog(after(60))).overdue == 0
    assert (await _actions(database, missed.check_id)).count("review.expired") == 1
    assert "review.expired" not in await _actions(database, waiting.check_id)
    # A server whose clock is behind.
    claimed = missed.claimed("anna", after(49))
    assert not await reviews.change(claimed, event=_event(missed, "anna"), now=after(49))


async def test_lists_are_by_tenant_state_cause_and_sandbox_oldest_first(
    repository: CheckRepository, reviews: ReviewRepository
) -> None:
    fresh, claimed, second, decided, expired, sandbox, doubt = [
        await _reviewed(repository, seconds=seconds, **changes)
        for seconds, changes in (
            (1, {}),
            (2, {}),
            (3, {"four_eyes": True}),
            (4, {}),
            (5, {"expire_time": after(15)}),
            (6, {"sandbox": True}),
            (7, {"causes": (ReviewCause.DOUBT,)}),
        )
    ]
    await _reviewed(repository, tenant="other")
    for review in (claimed, second, decided):
        step = review.claimed("anna", after(10))
        assert await reviews.change(step, event=_event(review, "anna"), now=after(10))
        if review is not claimed:
            step = _decided(step, "anna", after(11))
            assert await reviews.change(step, event=_event(review, "anna"), now=after(11))

    async def listed(
        state: ReviewState | None = None,
        *,
        cause: ReviewCause | None = None,
        sandbox: bool = False,
        now: float = 20,
    ) -> list[UUID]:
        found: list[UUID] = []
        place = None
        while True:
            page = await reviews.list(
                "default",
                sandbox=sandbox,
                state=state,
                cause=cause,
                now=after(now),
                after=place,
                limit=2,
            )
            assert all(state is None or one.review.state(after(now)) is state for one in page)
            found += [one.review.check_id for one in page]
            if len(page) < 2:
                return found
            place = page[-1].place

    assert await listed() == [one.check_id for one in (fresh, claimed, second, doubt)]
    assert await listed(ReviewState.OPEN) == [fresh.check_id, doubt.check_id]
    assert await listed(ReviewState.CLAIMED) == [claimed.check_id]
    assert await listed(ReviewState.CLAIMED, now=70) == []
    assert await listed(ReviewState.AWAITING_SECOND) == [second.check_id]
    assert await listed(ReviewState.DECIDED) == [decided.check_id]
    assert await listed(ReviewState.EXPIRED) == [expired.check_id]
    assert await listed(sandbox=True) == [sandbox.check_id]
    assert await listed(cause=ReviewCause.SAMPLE) == [one.check_id for one in (fresh, claimed, second)]
