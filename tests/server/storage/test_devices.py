"""Enrolled keys, one-time tokens and findings, in SQLite and PostgreSQL."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from server.storage.database import Database
from server.storage.devices import DeviceRepository, HeldReceipt, KeyKind
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.storage.samples import NOW, after, decision, enrolled_key, new_check

_TOKEN = bytes(range(32))


@pytest.fixture
def devices(database: Database) -> DeviceRepository:
    return DeviceRepository(database)


async def _check(database: Database, **changes: Any) -> UUID:
    return (await CheckRepository(database).create(new_check(**changes), None)).check_id


async def test_a_key_is_enrolled_once_and_found_by_its_tenant_only(
    database: Database, devices: DeviceRepository
) -> None:
    key = enrolled_key(await _check(database))
    assert await devices.enrol(key)
    assert not await devices.enrol(replace(key, public_key=b"another", subject_hash="hash-2"))
    assert await devices.find_key("default", KeyKind.APP_ATTEST, key.key_id) == key
    assert await devices.find_key("other", KeyKind.APP_ATTEST, key.key_id) is None
    assert await devices.find_key("default", KeyKind.WEB_AUTHN, key.key_id) is None
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"x" * 32) is None


async def test_of_assertions_at_once_one_counts(database: Database, devices: DeviceRepository) -> None:
    key = enrolled_key(await _check(database))
    await devices.enrol(key)
    won = await asyncio.gather(
        *(
            devices.advance_counter("default", key.kind, key.key_id, expected=0, counter=7, now=after(1))
            for _ in range(5)
        )
    )
    assert sorted(won) == [False, False, False, False, True]
    found = await devices.find_key("default", key.kind, key.key_id)
    assert found is not None
    assert (found.counter, found.use_time) == (7, after(1))


async def test_a_receipt_is_kept_with_its_key_and_exchanged_by_one(
    database: Database, devices: DeviceRepository
) -> None:
    first = HeldReceipt(data=b"first", time=NOW, due=after(5))
    key = enrolled_key(await _check(database), receipt=first)
    other = enrolled_key(await _check(database), key_id=b"other" * 6)
    await devices.enrol(key)
    await devices.enrol(other)
    assert await devices.find_key("default", KeyKind.APP_ATTEST, key.key_id) == key
    # The exchange is not due yet; without a receipt it never is.
    assert not await devices.claim_exchange(key, now=after(4), until=after(60))
    assert not await devices.claim_exchange(other, now=after(99), until=after(200))
    won = await asyncio.gather(
        *(devices.claim_exchange(key, now=after(5), until=after(60)) for _ in range(4))
    )
    assert sorted(won) == [False, False, False, True]
    newer = HeldReceipt(data=b"newer", time=after(5), due=after(90))
    await devices.keep_receipt(key, newer)
    found = await devices.find_key("default", KeyKind.APP_ATTEST, key.key_id)
    assert found == replace(key, receipt=newer)
    assert await devices.find_key("default", KeyKind.APP_ATTEST, other.key_id) == other


async def test_a_token_counts_once(database: Database, devices: DeviceRepository) -> None:
    check = await _check(database)
    used = await asyncio.gather(
        *(devices.consume_token(_TOKEN, check_id=check, expires=after(60)) for _ in range(4))
    )
    assert sorted(used) == [False, False, False, True]
    assert await devices.expire(after(59), unused_since=NOW) == 0
    assert await devices.expire(after(60), unused_since=NOW) == 1
    assert await devices.consume_token(_TOKEN, check_id=check, expires=after(120))


async def test_unused_keys_are_erased(database: Database, devices: DeviceRepository) -> None:
    check = await _check(database)
    await devices.enrol(enrolled_key(check))
    await devices.enrol(enrolled_key(check, key_id=b"later" * 6, use_time=after(10)))
    assert await devices.expire(after(20), unused_since=NOW) == 1
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"k" * 32) is None
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"later" * 6) is not None


async def test_findings_keep_their_order(database: Database, devices: DeviceRepository) -> None:
    check, other = await _check(database), await _check(database)
    for position in (1, 0):
        await devices.add_finding(check, position=position, finding=b"finding %d" % position)
    await devices.add_finding(check, position=1, finding=b"another")
    assert await devices.findings(check) == [b"finding 0", b"finding 1"]
    assert await devices.findings(other) == []


async def test_the_devices_of_a_person_are_erased(database: Database, devices: DeviceRepository) -> None:
    check = await _check(database)
    await devices.enrol(enrolled_key(check))
    await devices.enrol(enrolled_key(check, key_id=b"other" * 6, subject_hash="hash-2"))
    await devices.enrol(enrolled_key(check, tenant="other"))
    assert await devices.forget_subject("default", "subject-1", hashes=["hash-1"]) == 1
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"k" * 32) is None
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"other" * 6) is not None
    assert await devices.find_key("other", KeyKind.APP_ATTEST, b"k" * 32) is not None
    with pytest.raises(ValueError, match="the subject reference is empty"):
        await devices.forget_subject("default", "", hashes=[])


async def test_erasure_of_a_check_leaves_nothing_that_names_its_person(
    database: Database, devices: DeviceRepository
) -> None:
    checks = CheckRepository(database)
    check, other = await _check(database), await _check(database)
    for one, name in ((check, b"k" * 32), (other, b"o" * 32)):
        await devices.enrol(enrolled_key(one, key_id=name))
        await devices.consume_token(name, check_id=one, expires=after(60))
        await devices.add_finding(one, position=0, finding=b"finding")
        await checks.decide(one, epoch=None, decision=decision())
    await RetentionRepository(database).erase(check, after(1))
    assert await devices.count_rows(check) == 0
    assert await devices.count_rows(other) == 3
    key = await devices.find_key("default", KeyKind.APP_ATTEST, b"k" * 32)
    assert key is not None
    assert key.subject_hash == ""
