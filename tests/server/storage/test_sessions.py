"""The sessions of the console and hosted scans in the database, on SQLite and PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from server.storage.database import Database
from server.storage.hosted import HostedRepository, HostedScan
from server.storage.repository import CheckRepository
from server.storage.sessions import SessionRepository, StoredSession
from tests.server.storage.samples import NOW, after, new_check


def _session(number: int, *, subject: bytes = b"", session: bytes = b"") -> StoredSession:
    return StoredSession(
        secret_sha256=bytes([number]) * 32,
        content=b"content",
        mac=b"m" * 32,
        issuer_subject=subject,
        issuer_session=session,
        end_time=after(60),
    )


async def test_a_session_is_found_extended_replaced_and_removed(database: Database) -> None:
    repository = SessionRepository(database)
    first, second = _session(1), _session(2)
    await repository.add(first, replaces=None)
    assert await repository.find(first.secret_sha256) == first
    await repository.extend(first.secret_sha256, after(120))
    assert await repository.find(first.secret_sha256) == replace(first, end_time=after(120))
    await repository.add(second, replaces=first.secret_sha256)
    assert await repository.find(first.secret_sha256) is None
    await repository.remove(second.secret_sha256)
    assert await repository.find(second.secret_sha256) is None
    # Another replica removed it meanwhile.
    await repository.remove(second.secret_sha256)
    await repository.extend(second.secret_sha256, after(1))


async def test_sessions_that_have_ended_are_removed(database: Database) -> None:
    repository = SessionRepository(database)
    await repository.add(_session(1), replaces=None)
    await repository.add(replace(_session(2), end_time=NOW + timedelta(hours=1)), replaces=None)
    assert await repository.expire_sessions(after(59)) == 0
    assert await repository.expire_sessions(after(60)) == 1
    assert await repository.find(_session(2).secret_sha256) is not None


async def test_the_issuer_ends_a_session_or_all_of_a_person(database: Database) -> None:
    repository = SessionRepository(database)
    anna, bert, one, two = b"a" * 32, b"b" * 32, b"1" * 32, b"2" * 32
    sessions = (
        _session(1, subject=anna, session=one),
        _session(2, subject=anna, session=two),
        _session(3, subject=bert, session=one),
        _session(4, subject=anna),
        _session(5),
    )
    for session in sessions:
        await repository.add(session, replaces=None)

    async def left() -> list[int]:
        return [one.secret_sha256[0] for one in sessions if await repository.find(one.secret_sha256)]

    assert await repository.remove_of_issuer(subject=b"", session=b"") == ()
    # One without a known session ends, too: it may be that one.
    removed = await repository.remove_of_issuer(subject=anna, session=two)
    assert {one.secret_sha256[0] for one in removed} == {2, 4}
    assert await left() == [1, 3, 5]
    await repository.remove_of_issuer(subject=anna, session=b"")
    assert await left() == [3, 5]
    await repository.remove_of_issuer(subject=b"", session=one)
    assert await left() == [5]


# Hosted scans: steps that are raced.


@pytest.fixture
def hosted(database: Database) -> HostedRepository:
    return HostedRepository(database)


async def _scan(repository: CheckRepository) -> HostedScan:
    check = new_check()
    scan = HostedScan(check_id=check.check_id, return_url="https://bank.example", expire_time=after(60))
    await repository.create(check, None, hosted=scan)
    return scan


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
