"""Tries in the database: transactions on one mark are serialised, and no unnecessary rows are kept."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import func, select

from server.configuration.tables import FailureSettings
from server.domain.terms import CheckStatus, FailureReason
from server.domain.tries import TryKind, TryMark
from server.storage.database import Database
from server.storage.devices import DeviceRepository
from server.storage.errors import TriesExceeded
from server.storage.records import Decision
from server.storage.repository import CheckRepository
from server.storage.tables import check_tries
from server.storage.tries import begin_device
from tests.server.storage.samples import NOW, after, new_check, sealed_record

RULES = FailureSettings().as_setting().real
_MARKS = (TryMark(TryKind.SUBJECT, b"s" * 32), TryMark(TryKind.PORTRAIT, b"p" * 32))
_DEVICE = TryMark(TryKind.DEVICE, b"d" * 32)


async def _created(repository: CheckRepository) -> UUID:
    return (await repository.create(new_check(), None, tries=_MARKS)).check_id


async def _begin(repository: CheckRepository, check_id: UUID) -> None:
    await repository.acquire_lease(
        check_id,
        session_key=check_id.bytes,
        proven=False,
        owner="replica",
        now=NOW,
        lease_seconds=15,
        try_rules=RULES,
    )


async def _decide(repository: CheckRepository, check_id: UUID, *reasons: FailureReason) -> None:
    decision = Decision(
        status=CheckStatus.FAILURE if reasons else CheckStatus.SUCCESS,
        reasons=reasons,
        record=sealed_record(),
        evidence=(),
        decide_time=after(1),
        retain_until=after(86_400),
    )
    await repository.decide(check_id, epoch=None, decision=decision)


async def _rows(database: Database) -> int:
    query = select(func.count()).select_from(check_tries)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def test_scans_that_begin_at_once_are_no_more_than_the_limit(repository: CheckRepository) -> None:
    checks = [await _created(repository) for _ in range(12)]
    outcomes = await asyncio.gather(*(_begin(repository, one) for one in checks), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 5
    assert sum(isinstance(outcome, TriesExceeded) for outcome in outcomes) == 7


async def test_a_device_in_many_checks_at_once_is_limited(
    database: Database, repository: CheckRepository
) -> None:
    checks = [await _created(repository) for _ in range(12)]

    async def begin(check_id: UUID) -> None:
        for _ in range(2):
            await database.write(begin_device, check_id, _DEVICE, rules=RULES, now=NOW)

    outcomes = await asyncio.gather(*(begin(one) for one in checks), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 5
    assert sum(isinstance(outcome, TriesExceeded) for outcome in outcomes) == 7


async def test_uncounted_tries_leave_no_row_and_counted_ones_expire(
    database: Database, repository: CheckRepository
) -> None:
    succeeded, conditions, spoof = [await _created(repository) for _ in range(3)]
    for one in (succeeded, conditions, spoof):
        await _begin(repository, one)
    assert await _rows(database) == 6
    await _decide(repository, succeeded)
    await _decide(repository, conditions, FailureReason.CONDITIONS)
    await _decide(repository, spoof, FailureReason.SPOOF)
    # A check without a scan does not count.
    await _decide(repository, await _created(repository), FailureReason.EXPIRED)
    assert await _rows(database) == 4
    assert await repository.expire_tries(after(1)) == 0
    assert await repository.expire_tries(after(2)) == 4


async def test_a_device_that_is_known_once_its_check_was_decided_runs_no_more(
    database: Database, repository: CheckRepository
) -> None:
    for _ in range(12):
        check_id = await _created(repository)
        await _decide(repository, check_id)
        await database.write(begin_device, check_id, _DEVICE, rules=RULES, now=NOW)
    assert await _rows(database) == 0


async def test_failed_checks_are_erased_with_their_subject(
    database: Database, repository: CheckRepository
) -> None:
    made = []
    for _ in range(5):
        check_id = await _created(repository)
        await _begin(repository, check_id)
        await _decide(repository, check_id, FailureReason.NOT_SAME_PERSON)
        made.append(check_id)
    with pytest.raises(TriesExceeded) as caught:
        await repository.expect_allowed(_MARKS, rules=RULES, now=after(2))
    assert caught.value.kind is TryKind.SUBJECT
    assert caught.value.until == after(1 + 1800)
    devices = DeviceRepository(database)
    assert await devices.forget_subject("branch", "subject-1", hashes=[]) == 0
    assert await _rows(database) == 10
    # Decided checks do not name the person any more; their records find them.
    await devices.forget_subject("default", "subject-1", hashes=[], check_ids=made)
    assert await _rows(database) == 0
