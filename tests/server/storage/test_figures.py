"""Figures of decided checks, on SQLite and PostgreSQL."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import Connection, String, literal, text, update

from server.compliance.listing import percentile
from server.domain.reviews import Review, ReviewCause, ReviewOutcome
from server.domain.terms import CheckStatus, FailureReason
from server.storage.database import Database
from server.storage.figures import DayFigures, FiguresRepository, figures_query
from server.storage.repository import CheckRepository
from server.storage.tables import reviews
from tests.server.storage.samples import decision, new_check, new_review, plan_of, request

_DAY = datetime(2026, 5, 4, tzinfo=UTC)


async def _decided(
    repository: CheckRepository,
    at: datetime,
    *,
    seconds: float,
    status: CheckStatus = CheckStatus.SUCCESS,
    reasons: tuple[FailureReason, ...] = (),
    tenant: str = "default",
    sandbox: bool = False,
    review: Review | None = None,
) -> None:
    check = replace(
        new_check(tenant=tenant),
        create_time=at - timedelta(seconds=seconds),
        scan_deadline=at + timedelta(seconds=60),
        sandbox=sandbox,
    )
    await repository.create(check, request(check.check_id.hex, tenant=tenant))
    if review is not None:
        review = replace(review, check_id=check.check_id, tenant=tenant, sandbox=sandbox)
    made = replace(decision(), decide_time=at, status=status, reasons=reasons, review=review)
    await repository.decide(check.check_id, epoch=None, decision=made)


async def test_a_time_with_more_checks_than_a_number_is_known(
    database: Database, repository: CheckRepository
) -> None:
    for hours in (0, 1, 2):
        await _decided(repository, _DAY + timedelta(hours=hours), seconds=5)
    await _decided(repository, _DAY, seconds=5, tenant="other")
    has_more = partial(FiguresRepository(database).has_more, "default")
    whole = {"since": _DAY, "before": _DAY + timedelta(hours=3)}
    assert await has_more(2, **whole)
    assert not await has_more(3, **whole)
    assert not await has_more(2, since=_DAY, before=_DAY + timedelta(hours=2))


async def test_checks_are_counted_by_day_and_policy(database: Database, repository: CheckRepository) -> None:
    # Days are those of UTC, to the microsecond.
    last = _DAY - timedelta(microseconds=1)
    await _decided(repository, last, seconds=12.4)
    await _decided(repository, _DAY, seconds=30)
    reasons = (FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON)
    for second in (10, 20):
        at = _DAY + timedelta(hours=23, seconds=second)
        await _decided(repository, at, seconds=second, status=CheckStatus.FAILURE, reasons=reasons[:1])
    await _decided(repository, _DAY, seconds=5, status=CheckStatus.FAILURE, reasons=reasons)
    await _decided(repository, _DAY, seconds=5, status=CheckStatus.NOT_DECIDED)
    await _decided(repository, _DAY, seconds=5, tenant="other")
    await _decided(repository, _DAY, seconds=5, sandbox=True)
    figures = FiguresRepository(database)
    since, before = _DAY - timedelta(days=1), _DAY + timedelta(days=1)
    days = partial(figures.days, since=since, before=before, now=before)
    real = await days("default", sandbox=False)
    assert real == (
        DayFigures(
            day=date(2026, 5, 3),
            policy="standard",
            statuses=Counter({CheckStatus.SUCCESS: 1}),
            seconds=Counter({12: 1}),
        ),
        DayFigures(
            day=date(2026, 5, 4),
            policy="standard",
            statuses=Counter({CheckStatus.SUCCESS: 1, CheckStatus.FAILURE: 3, CheckStatus.NOT_DECIDED: 1}),
            reasons=Counter({FailureReason.SPOOF: 3, FailureReason.NOT_SAME_PERSON: 1}),
            seconds=Counter({30: 1, 10: 1, 20: 1, 5: 2}),
        ),
    )
    assert [day.statuses.total() for day in await days("default")] == [1, 6]
    assert [day.statuses.total() for day in await days("default", sandbox=True)] == [1]
    assert await days("default", policy="other") == ()
    assert len(await days("default", since=_DAY)) == 1
    assert len(await days("default", before=_DAY)) == 1
    assert [day.statuses.total() for day in await days("other")] == [1]


async def test_reviews_are_counted_by_what_the_machine_decided(
    database: Database, repository: CheckRepository
) -> None:
    review = new_review(
        UUID(int=0), causes=(ReviewCause.DOUBT,), create_time=_DAY, expire_time=_DAY + timedelta(hours=1)
    )
    sampled = replace(review, causes=(ReviewCause.DOUBT, ReviewCause.SAMPLE))
    reviewed = partial(_decided, repository, _DAY, seconds=5)
    await reviewed()
    await reviewed(review=replace(sampled, outcome=ReviewOutcome.ALLOW))
    for one in (review, sampled):
        await reviewed(review=replace(one, outcome=ReviewOutcome.DENY))
    await reviewed(review=sampled)
    await reviewed(review=replace(review, expire_time=_DAY + timedelta(hours=2)))
    failure, reasons = CheckStatus.FAILURE, (FailureReason.LIVENESS_INCONCLUSIVE,)
    await reviewed(status=failure, reasons=reasons, review=replace(review, outcome=ReviewOutcome.ALLOW))
    await reviewed(tenant="other", review=replace(sampled, outcome=ReviewOutcome.ESCALATE))
    figures = FiguresRepository(database)
    asked = partial(figures.days, "default", since=_DAY, before=_DAY + timedelta(days=1))
    (day,) = await asked(now=review.expire_time)
    assert day.statuses == {CheckStatus.SUCCESS: 6, failure: 1}
    assert day.seconds == {5: 7}
    assert day.reviews == {
        (CheckStatus.SUCCESS, ReviewOutcome.ALLOW): 1,
        (CheckStatus.SUCCESS, ReviewOutcome.DENY): 2,
        (failure, ReviewOutcome.ALLOW): 1,
    }
    assert +day.sampled == {
        (CheckStatus.SUCCESS, ReviewOutcome.ALLOW): 1,
        (CheckStatus.SUCCESS, ReviewOutcome.DENY): 1,
    }
    assert (day.reviews_open, day.reviews_expired) == (1, 1)
    (day,) = await asked(now=_DAY)
    assert (day.reviews_open, day.reviews_expired) == (2, 0)

    # An outcome that somebody altered counts as none, and hides no figures.
    denied = update(reviews).where(reviews.c.outcome == ReviewOutcome.DENY)

    def alter(connection: Connection) -> None:
        connection.execute(denied.values(outcome=literal("NO", String)))

    await database.write(alter)
    (day,) = await asked(now=_DAY)
    assert day.reviews == {(CheckStatus.SUCCESS, ReviewOutcome.ALLOW): 1, (failure, ReviewOutcome.ALLOW): 1}
    assert (day.reviews_open, day.reviews_expired) == (2, 0)


async def test_figures_of_a_time_read_the_checks_of_that_time_only(
    database: Database, repository: CheckRepository
) -> None:
    for days in range(60):
        await _decided(repository, _DAY + timedelta(days=days), seconds=5)
    # Without statistics, another index that begins with the tenant costs the same.
    await database.write(lambda connection: connection.execute(text("ANALYZE")))

    def plan(connection: Connection) -> str:
        until = _DAY + timedelta(days=1)
        query = figures_query(connection, "default", since=_DAY, before=until, now=_DAY)
        return plan_of(connection, query)

    assert "ix_checks_tenant_decide_time" in await database.read(plan)


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ({}, 0.5, 0),
        ({7: 1}, 0.9, 7),
        ({1: 5, 9: 5}, 0.5, 1),
        ({1: 89, 9: 11}, 0.9, 9),
        ({1: 90, 9: 10}, 0.9, 1),
    ],
)
def test_a_percentile_is_reached_by_its_share(counts: dict[int, int], share: float, value: int) -> None:
    assert percentile(Counter(counts), share) == value
