"""Figures of decided checks, on SQLite and PostgreSQL."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection

from server.compliance.figures import percentile
from server.domain.terms import CheckStatus, FailureReason
from server.storage.database import Database
from server.storage.figures import DayFigures, FiguresRepository, figures_query
from server.storage.repository import CheckRepository
from tests.server.storage.samples import decision, new_check, plan_of, request

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
) -> None:
    check = replace(
        new_check(tenant=tenant),
        create_time=at - timedelta(seconds=seconds),
        scan_deadline=at + timedelta(seconds=60),
        sandbox=sandbox,
    )
    await repository.create(check, request(check.check_id.hex, tenant=tenant))
    made = replace(decision(), decide_time=at, status=status, reasons=reasons)
    await repository.decide(check.check_id, epoch=None, decision=made)


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
    days = partial(figures.days, since=since, before=before)
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
    assert len(await figures.days("default", since=_DAY, before=before)) == 1
    assert len(await figures.days("default", since=since, before=_DAY)) == 1
    assert [day.statuses.total() for day in await days("other")] == [1]


async def test_figures_of_a_time_read_the_checks_of_that_time_only(
    database: Database, repository: CheckRepository
) -> None:
    await _decided(repository, _DAY, seconds=5)

    def plan(connection: Connection) -> str:
        return plan_of(connection, figures_query(connection, "default", since=_DAY, before=_DAY))

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
