"""The scan memory in SQLite and PostgreSQL."""

import os
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select

from device_integrity.stream import FrameMark, KeyUse, ScanMotion, ScanQuery
from server.keyring.keys import MemoryKey
from server.keyring.sealing import WrappingKeys
from server.storage.database import Database
from server.storage.devices import DeviceRepository
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.tables import scan_marks
from tests.server.storage.samples import NOW, after, decision, new_check

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


@pytest.fixture
def store(database: Database) -> _Store:
    memory = DatabaseScanMemory(
        database,
        tenant_key=MemoryKey(bytes(32)).tenant_key,
        wrapping_keys=_WRAPPING,
        random=secrets.token_bytes,
    )
    return _Store(database, memory, CheckRepository(database))


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
    few = ScanQuery(
        tenant=query.tenant, check_id=query.check_id, exact=query.exact, bands=query.bands, most=2
    )
    assert len(await store.recalled(few)) == 2
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


@pytest.mark.parametrize("by", ["subject", "check"])
async def test_a_scan_is_erased(store: _Store, by: str) -> None:
    marks = _marks()
    check = await store.record(marks, subject="gone")
    await store.memory.record_key_use(
        tenant="default", use=KeyUse(key=b"k" * 32, subject="gone", check_id=check, time=NOW)
    )
    kept = await store.record(marks, subject="kept")
    named = {"subject": "gone"} if by == "subject" else {"check_id": check}
    assert await store.memory.erase(tenant="other", **named) == 0
    assert await store.memory.erase(tenant="default", **named) == 2
    assert set(await store.recalled(_query(await store.check(), marks))) == {kept}
    with pytest.raises(ValueError, match="a subject or a check is required"):
        await store.memory.erase(tenant="default")


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


async def test_of_a_record_whose_wrapping_key_is_gone_only_pictures_that_return_are_known(
    store: _Store,
) -> None:
    marks = _marks()
    await store.record(marks)
    without = DatabaseScanMemory(
        store.database,
        tenant_key=MemoryKey(bytes(32)).tenant_key,
        wrapping_keys=WrappingKeys(newest="new", keys={"new": bytes(range(32))}),
        random=secrets.token_bytes,
    )
    (recalled,) = await without.recall(_query(await store.check(), marks))
    assert (recalled.motions, recalled.repeated, recalled.shown) == ((), 3, 3)
    similar = [replace(mark, exact=os.urandom(32), picture=os.urandom(24)) for mark in marks]
    assert await without.recall(_query(await store.check(), similar)) == ()
