"""Hosted scans in the database: steps that are raced, and erasure."""

import asyncio
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest

from server.storage.database import Database
from server.storage.hosted import HostedRepository, HostedScan
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.storage.samples import after, decision, new_check, request


@pytest.fixture
def hosted(database: Database) -> HostedRepository:
    return HostedRepository(database)


async def _scan(repository: CheckRepository) -> HostedScan:
    check = new_check()
    scan = HostedScan(check_id=check.check_id, return_url="https://bank.example", expire_time=after(60))
    await repository.create(check, None, hosted=scan)
    return scan


async def test_a_scan_is_stored_with_its_check(repository: CheckRepository, hosted: HostedRepository) -> None:
    scan = await _scan(repository)
    assert await hosted.find(scan.check_id) == scan
    assert await hosted.find(uuid4()) is None


async def test_a_repeated_request_adds_no_scan(repository: CheckRepository, hosted: HostedRepository) -> None:
    first, again = new_check(), new_check()
    for check in (first, again):
        scan = HostedScan(check_id=check.check_id, return_url="", expire_time=after(60))
        assert (await repository.create(check, request(), hosted=scan)).check_id == first.check_id
    assert await hosted.find(again.check_id) is None


async def test_of_browsers_that_open_a_link_at_once_one_gets_it(
    repository: CheckRepository, hosted: HostedRepository
) -> None:
    scan = await _scan(repository)
    digests = [bytes([number]) * 32 for number in range(8)]

    async def open_link(digest: bytes) -> None:
        def bind(found: HostedScan) -> HostedScan:
            return found if found.browser_sha256 is not None else replace(found, browser_sha256=digest)

        changed = await hosted.change(scan.check_id, bind)
        assert changed is not None
        won.append(changed.browser_sha256 == digest)

    won: list[bool] = []
    await asyncio.gather(*map(open_link, digests))
    assert won.count(True) == 1


async def test_a_change_that_is_refused_changes_nothing(
    repository: CheckRepository, hosted: HostedRepository
) -> None:
    scan = await _scan(repository)

    def refuse(_: HostedScan) -> HostedScan:
        raise LookupError

    with pytest.raises(LookupError):
        await hosted.change(scan.check_id, refuse)
    assert await hosted.find(scan.check_id) == scan
    assert await hosted.change(uuid4(), refuse) is None


async def test_the_newest_code_is_found(repository: CheckRepository, hosted: HostedRepository) -> None:
    scan = await _scan(repository)
    for code in (b"a" * 32, b"b" * 32):
        await hosted.change(scan.check_id, partial(replace, code_sha256=code))
    assert await hosted.find_by_code(b"a" * 32) is None
    found = await hosted.find_by_code(b"b" * 32)
    assert found is not None
    assert found.check_id == scan.check_id


async def test_it_is_erased_with_its_check(
    database: Database, repository: CheckRepository, hosted: HostedRepository
) -> None:
    scan = await _scan(repository)
    await repository.decide(scan.check_id, epoch=None, decision=decision())
    await RetentionRepository(database).erase(scan.check_id, after(100))
    assert await hosted.find(scan.check_id) is None
