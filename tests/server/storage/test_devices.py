"""Enrolled keys, the scan memory and tries, in SQLite and PostgreSQL."""

import asyncio
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select

from device_integrity.stream import FrameMark, KeyUse, ScanMotion, ScanQuery
from server.audit import Actor, AuditAction, AuditEvent
from server.configuration.tables import FailureSettings
from server.domain.terms import CheckStatus, FailureReason
from server.domain.tries import TryKind, TryMark
from server.keyring.keys import MemoryKey
from server.keyring.sealing import WrappingKeys
from server.storage.database import Database
from server.storage.devices import DeviceRepository, HeldReceipt, forget_subject_rows
from server.storage.errors import TriesExceeded
from server.storage.holds import HoldRepository, StoredHold
from server.storage.records import KeyKind
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.tables import check_tries, scan_marks
from server.storage.tries import begin_device
from tests.server.storage.samples import (
    NOW,
    after,
    decision,
    enrolled_key,
    new_check,
    rows_about_device,
)

# Enrolled keys, one-time tokens and findings, in SQLite and PostgreSQL.

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
    assert await database.write(forget_subject_rows, "default", "subject-1", ["hash-1"]) == 1
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"k" * 32) is None
    assert await devices.find_key("default", KeyKind.APP_ATTEST, b"other" * 6) is not None
    assert await devices.find_key("other", KeyKind.APP_ATTEST, b"k" * 32) is not None


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
    assert await database.read(rows_about_device, check) == 0
    assert await database.read(rows_about_device, other) == 3
    key = await devices.find_key("default", KeyKind.APP_ATTEST, b"k" * 32)
    assert key is not None
    assert key.subject_hash == ""


# The scan memory in SQLite and PostgreSQL.

_WRAPPING = WrappingKeys(newest="k", keys={"k": bytes(32)})


@dataclass(frozen=True)
class _Store:
    database: Database
    memory: DatabaseScanMemory
    checks: CheckRepository

    async def check(self, tenant: str = "default") -> str:
        return str((await self.checks.create(new_check(tenant=tenant), None)).check_id)

    async def record(
        self,
        marks: list[FrameMark],
        *,
        tenant: str = "default",
        subject: str = "s",
        time: datetime = NOW,
        motion: ScanMotion | None = None,
    ) -> str:
        check = await self.check(tenant)
        await self.memory.record(
            tenant=tenant,
            subject=subject,
            check_id=check,
            time=time,
            marks=marks,
            motions=[motion or _motion()],
        )
        return check

    async def recalled(self, query: ScanQuery) -> dict[str, int]:
        return {scan.check_id: len(scan.motions) for scan in await self.memory.recall(query)}


def _memory(database: Database, wrapping_keys: WrappingKeys) -> DatabaseScanMemory:
    tenant_key = MemoryKey(bytes(32)).tenant_key
    return DatabaseScanMemory(database, tenant_key=tenant_key, wrapping_keys=wrapping_keys)


@pytest.fixture
def store(database: Database) -> _Store:
    return _Store(database, _memory(database, _WRAPPING), CheckRepository(database))


def _marks(count: int = 3) -> list[FrameMark]:
    return [
        FrameMark(exact=os.urandom(32), perceptual=os.urandom(32), picture=os.urandom(24))
        for _ in range(count)
    ]


def _motion() -> ScanMotion:
    return ScanMotion(np.frombuffer(os.urandom(36 * 20), np.int8).reshape(20, 36))


def _query(check: str, marks: list[FrameMark], *, tenant: str = "default") -> ScanQuery:
    return ScanQuery(
        tenant=tenant,
        check_id=check,
        exact=frozenset(mark.exact for mark in marks),
        pictures=frozenset(mark.picture for mark in marks),
        bands=frozenset(band for mark in marks for band in mark.bands),
    )


async def test_a_scan_is_recalled_by_exact_marks_and_by_near_pictures(store: _Store) -> None:
    marks = _marks()
    earlier, now = await store.record(marks), await store.check()
    (recalled,) = await store.memory.recall(_query(now, marks))
    assert (recalled.check_id, len(recalled.motions), recalled.repeated) == (earlier, 1, 3)
    # The same images in other bytes, with ten different bits each, all in different slices.
    moved = [
        FrameMark(
            exact=os.urandom(32),
            perceptual=bytes(b ^ (at % 2 == 0 and at < 20) for at, b in enumerate(m.perceptual)),
        )
        for m in marks
    ]
    assert await store.recalled(_query(now, moved)) == {earlier: 1}
    other = [FrameMark(exact=marks[0].exact, perceptual=os.urandom(32))]
    assert await store.recalled(_query(now, other)) == {earlier: 1}
    assert await store.recalled(_query(now, _marks())) == {}
    assert await store.recalled(_query(earlier, marks)) == {}


async def test_pictures_that_return_are_counted_once_each(store: _Store) -> None:
    marks = _marks()
    earlier = await store.record([*marks, replace(_marks(1)[0], picture=marks[0].picture)])
    other = await store.record(_marks())
    again = [replace(mark, exact=os.urandom(32), perceptual=b"") for mark in (*marks, *_marks(1))]
    (recalled,) = await store.memory.recall(_query(await store.check(), again))
    assert (recalled.check_id, recalled.shown, recalled.repeated) == (earlier, 3, 0)
    # The check's own pictures do not count.
    assert await store.memory.recall(_query(earlier, again)) == ()
    (recalled,) = await store.memory.recall(_query(earlier, [*again, *await _of(store, other)]))
    assert recalled.check_id == other


async def _of(store: _Store, check: str) -> list[FrameMark]:
    query = select(scan_marks.c.mark).where(scan_marks.c.check_id == UUID(check))
    held = await store.database.read(lambda connection: list(connection.scalars(query)))
    return [FrameMark(exact=bytes(32), perceptual=b"", picture=mark) for mark in held if len(mark) == 24]


async def test_a_check_has_a_bounded_number_of_frames(store: _Store) -> None:
    check = await store.check()
    for _ in range(3):
        many = [replace(mark, perceptual=b"") for mark in _marks(500)]
        await store.memory.record(
            tenant="default", subject="s", check_id=check, time=NOW, marks=[*_marks(1), *many]
        )
    assert len(await _of(store, check)) == 1024


async def test_a_tenant_has_a_bounded_number_of_scans(store: _Store) -> None:
    devices = DeviceRepository(store.database)
    scans = [_marks() for _ in range(5)]
    checks = [
        await store.record(marks, time=NOW + timedelta(seconds=second))
        for second, marks in zip((3, 1, 2, 0, 4), scans, strict=True)
    ]
    other = _marks()
    kept = await store.record(other, tenant="other")
    assert await devices.forget_oldest_scans(most=5, limit=100) == 0
    assert await devices.forget_oldest_scans(most=2, limit=2) == 2
    assert await devices.forget_oldest_scans(most=2, limit=2) == 1
    assert await devices.forget_oldest_scans(most=2, limit=2) == 0
    everything = [mark for marks in scans for mark in marks]
    assert set(await store.recalled(_query(await store.check(), everything))) == {checks[0], checks[4]}
    query = select(scan_marks.c.check_id).distinct()
    left = await store.database.read(lambda connection: set(connection.scalars(query)))
    assert left == {UUID(one) for one in (checks[0], checks[4], kept)}


async def test_the_latest_scans_of_the_subject_come_back_whatever_they_show(store: _Store) -> None:
    motions = [_motion() for _ in range(3)]
    checks = [
        await store.record(_marks(1), subject="anna", time=NOW + timedelta(days=day), motion=motion)
        for day, motion in enumerate(motions)
    ]
    await store.record(_marks(1), subject="bert")
    await store.record(_marks(1), subject="")
    query = replace(_query(await store.check(), _marks(1)), subject="anna", most=2)
    recalled = {scan.check_id: scan.motions for scan in await store.memory.recall(query)}
    assert set(recalled) == set(checks[1:])
    for check, motion in zip(checks[1:], motions[1:], strict=True):
        assert np.array_equal(recalled[check][0].samples, motion.samples)
    # Without a subject, those of nobody are not compared; nor is the check with itself.
    assert await store.recalled(replace(query, subject="")) == {}
    own = replace(query, check_id=checks[2])
    assert set(await store.recalled(own)) == {checks[0], checks[1]}


async def test_each_attempt_of_a_check_adds_its_movement(store: _Store) -> None:
    check, marks = await store.check(), _marks(6)
    for mark in marks:
        await store.memory.record(
            tenant="default", subject="s", check_id=check, time=NOW, marks=[mark], motions=[_motion()]
        )
    assert await store.recalled(_query(await store.check(), marks)) == {check: 4}


async def test_tenants_know_nothing_of_each_other(store: _Store) -> None:
    marks = _marks()
    await store.record(marks)
    other = await store.check("other")
    assert await store.recalled(_query(other, marks, tenant="other")) == {}


async def test_the_database_holds_no_slice_of_a_picture(store: _Store) -> None:
    marks = _marks(1)
    await store.record(marks)
    query = select(scan_marks.c.mark)
    held = await store.database.read(lambda connection: set(connection.execute(query).scalars()))
    assert len(held) == 18
    assert {len(mark) for mark in held} == {8, 24, 32}
    assert marks[0].perceptual not in held
    assert not {band for band in marks[0].bands if any(mark.startswith(band) for mark in held)}


async def test_of_scans_of_one_place_the_likeliest_come_back(store: _Store) -> None:
    common = _marks(2)
    for _ in range(6):
        await store.record(common)
    exact = await store.record([*common, *_marks(1)])
    query = _query(await store.check(), common)
    assert len(await store.recalled(replace(query, pictures=frozenset(), most=2))) == 2
    assert exact in await store.recalled(query)


async def test_uses_of_a_key_are_by_time_and_tenant(store: _Store) -> None:
    check = await store.check()
    use = KeyUse(key=b"k" * 32, subject="s", check_id=check, time=NOW)
    for _ in range(2):
        await store.memory.record_key_use(tenant="default", use=use)

    async def uses(tenant: str, seconds: float) -> tuple[KeyUse, ...]:
        since = NOW + timedelta(seconds=seconds)
        return await store.memory.key_uses(tenant=tenant, key=b"k" * 32, since=since)

    assert await uses("default", -1) == (use,)
    assert await uses("default", 1) == ()
    assert await uses("other", -1) == ()


async def test_an_erased_check_is_not_remembered_any_more_and_not_anew(store: _Store) -> None:
    marks = _marks()
    check = await store.record(marks)
    await store.checks.decide(UUID(check), epoch=None, decision=decision())
    await RetentionRepository(store.database).erase(UUID(check), after(1))
    await store.memory.record(tenant="default", subject="s", check_id=check, time=NOW, marks=marks)
    await store.memory.record_key_use(
        tenant="default", use=KeyUse(key=b"k" * 32, subject="s", check_id=check, time=NOW)
    )
    assert await store.recalled(_query(await store.check(), marks)) == {}
    assert await store.memory.key_uses(tenant="default", key=b"k" * 32, since=NOW) == ()


async def test_a_hold_keeps_the_scan_and_the_key_uses_of_its_check_from_the_erasure_of_its_person(
    store: _Store, devices: DeviceRepository
) -> None:
    held, free = [await store.record(_marks(), subject="gone") for _ in range(2)]
    for check in (held, free):
        await store.memory.record_key_use(
            tenant="default", use=KeyUse(key=b"k" * 32, subject="gone", check_id=check, time=NOW)
        )
        await store.checks.decide(UUID(check), epoch=None, decision=decision())
    hold = StoredHold(reference="case-17", reason="court", placed_by="anna", place_time=after(1))
    event = AuditEvent(
        tenant="default", action=AuditAction.HOLD_PLACED, actor=Actor(name="anna", role="compliance_admin")
    )
    holds = HoldRepository(store.database)
    await holds.place(UUID(held), hold, event=event)
    assert await store.database.write(forget_subject_rows, "default", "subject-1", ["gone"]) == 2
    about = await devices.about_subject("default", ["gone"])
    assert [row["check_id"] for row in about["key_uses"]] == [held]
    assert [row["check_id"] for row in about["scan_memories"]] == [held]
    assert len(await _of(store, held)) == 3
    assert await _of(store, free) == []
    await holds.release(UUID(held), "case-17", event=event, now=after(2))
    assert await store.database.write(forget_subject_rows, "default", "subject-1", ["gone"]) == 2


async def test_of_a_record_whose_wrapping_key_is_gone_only_pictures_that_return_are_known(
    store: _Store,
) -> None:
    marks = _marks()
    await store.record(marks)
    without = _memory(store.database, WrappingKeys(newest="new", keys={"new": bytes(range(32))}))
    (recalled,) = await without.recall(_query(await store.check(), marks))
    assert (recalled.motions, recalled.repeated, recalled.shown) == ((), 3, 3)
    similar = [replace(mark, exact=os.urandom(32), picture=os.urandom(24)) for mark in marks]
    assert await without.recall(_query(await store.check(), similar)) == ()


# Tries in the database: transactions on one mark are serialised, and no unnecessary rows are kept.

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
    status = CheckStatus.FAILURE if reasons else CheckStatus.SUCCESS
    made = replace(decision(), status=status, reasons=reasons, decide_time=after(1))
    await repository.decide(check_id, epoch=None, decision=made)


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
    assert await database.write(forget_subject_rows, "branch", "subject-1", []) == 0
    assert await _rows(database) == 10
    # Decided checks do not name the person any more; their records find them.
    await database.write(forget_subject_rows, "default", "subject-1", [], made)
    assert await _rows(database) == 0
