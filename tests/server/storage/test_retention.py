"""Erasure: the results that are due, the rows that remain, and the rows that must not remain."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from server.audit import Actor, AuditAction, AuditEvent
from server.domain.terms import CheckState, CheckStatus
from server.storage.audit_reader import AuditReader
from server.storage.database import Database
from server.storage.errors import Conflict, OnHold
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.holds import HoldRepository, StoredHold
from server.storage.repository import CheckRepository
from server.storage.retention import DueChecks, RetentionRepository
from server.storage.tables import checks
from tests.server.storage.lives import created, end, scanning
from tests.server.storage.plans import plan_of
from tests.server.storage.samples import after, decision, entry, new_check, request


async def test_erasure_leaves_a_tombstone(
    repository: CheckRepository, retention: RetentionRepository
) -> None:
    check_id = (await scanning(repository)).check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    await end(repository, check_id, epoch=1, judgement=b"judged")
    kept = entry("kept")
    with pytest.raises(Conflict):
        await retention.erase(check_id, after(5))
    await repository.decide(check_id, epoch=1, decision=decision(kept))

    assert await retention.expired_results(after(999), 10) == []
    assert [r.check_id for r in await retention.expired_results(after(1000), 10)] == [check_id]
    assert await retention.erase(check_id, after(1001)) == (kept,)
    assert await retention.erase(check_id, after(1002)) == ()

    tombstone = await repository.get(check_id)
    assert tombstone is not None
    assert (tombstone.state, tombstone.erase_time) == (CheckState.ERASED, after(1001))
    assert tombstone.status is CheckStatus.FAILURE
    assert (tombstone.session_key, tombstone.portrait_template) == (None, None)
    assert (tombstone.subject_reference, tombstone.consent_reference, tombstone.portrait_report) == (
        "",
        "",
        b"",
    )
    assert (await repository.attempts(check_id))[0].judgement is None
    assert await repository.evidence(check_id) == ()
    assert await retention.expired_results(after(5000), 10) == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_erasure_leaves_no_key_in_any_file(
    repository: CheckRepository, retention: RetentionRepository, url: str
) -> None:
    secret = b"wrapped-key-that-must-vanish-" + uuid4().bytes
    check_id = (await created(repository)).check_id
    kept = entry("kept", wrapped_key=secret)
    await repository.decide(check_id, epoch=None, decision=decision(kept, result=b"the result " + secret))
    folder = Path(url.removeprefix("sqlite:///")).parent
    assert any(secret in file.read_bytes() for file in folder.iterdir())
    await retention.erase(check_id, after(1001))
    assert not any(secret in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_erasure_leaves_no_hash_of_the_request(
    repository: CheckRepository, retention: RetentionRepository, url: str
) -> None:
    made = request()
    record = await repository.create(new_check(), made)
    await repository.decide(record.check_id, epoch=None, decision=decision())
    folder = Path(url.removeprefix("sqlite:///")).parent
    assert any(made.payload_sha256 in file.read_bytes() for file in folder.iterdir())
    await retention.erase(record.check_id, after(1001))
    assert not any(made.payload_sha256 in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_erasure_during_a_backup_is_completed_after_it(
    repository: CheckRepository, retention: RetentionRepository, url: str
) -> None:
    secret = b"wrapped-key-that-must-vanish-" + uuid4().bytes
    check_id = (await created(repository)).check_id
    await repository.decide(
        check_id, epoch=None, decision=decision(entry("kept", wrapped_key=secret), result=b"r" + secret)
    )
    file = Path(url.removeprefix("sqlite:///"))
    backup = sqlite3.connect(file, isolation_level=None)
    backup.execute("BEGIN")
    backup.execute("SELECT count(*) FROM checks").fetchone()
    await retention.erase(check_id, after(1001))
    assert not await retention.forget_erased()
    assert any(secret in one.read_bytes() for one in file.parent.iterdir())
    # Other callers do not wait for the reader meanwhile.
    assert (await created(repository)).state is CheckState.CREATED
    backup.close()
    assert await retention.forget_erased()
    assert not any(secret in one.read_bytes() for one in file.parent.iterdir())


async def test_a_retried_request_finds_the_tombstone(
    repository: CheckRepository, retention: RetentionRepository
) -> None:
    record = await repository.create(new_check(), request())
    await repository.decide(record.check_id, epoch=None, decision=decision())
    await retention.erase(record.check_id, after(1001))
    again = await repository.create(new_check(), request())
    assert (again.check_id, again.state) == (record.check_id, CheckState.ERASED)


def _expired(check_id: UUID) -> AuditEvent:
    return AuditEvent(
        tenant="default",
        action=AuditAction.EVIDENCE_EXPIRED,
        actor=Actor(name="housekeeping", role="server"),
        check_id=check_id,
    )


async def _decided(repository: CheckRepository, *, retain_seconds: float) -> UUID:
    check_id = (await created(repository)).check_id
    await repository.decide(check_id, epoch=None, decision=decision(retain_seconds=retain_seconds))
    return check_id


async def test_what_is_due_is_counted_apart_from_what_a_hold_keeps(
    repository: CheckRepository, retention: RetentionRepository, database: Database
) -> None:
    assert await retention.due(after(5000)) == ()
    first = await _decided(repository, retain_seconds=1000)
    second = await _decided(repository, retain_seconds=2000)
    held = await _decided(repository, retain_seconds=500)
    hold = StoredHold(reference="case-17", reason="court", placed_by="anna", place_time=after(30))
    await HoldRepository(database).place(held, hold, event=_expired(held))

    assert await retention.due(after(499)) == ()
    assert await retention.due(after(1000)) == (
        DueChecks(policy="standard", due=1, held=1, images=0, since=after(500)),
    )
    assert await retention.due(after(2000)) == (
        DueChecks(policy="standard", due=2, held=1, images=0, since=after(500)),
    )
    for check_id in (first, second):
        assert await retention.expire(check_id, after(2000), event=_expired(check_id)) == ()
    with pytest.raises(OnHold):
        await retention.expire(held, after(2000), event=_expired(held))
    assert await retention.due(after(2000)) == (
        DueChecks(policy="standard", due=0, held=1, images=0, since=after(500)),
    )


async def test_a_check_expires_once_and_not_before_its_time(
    repository: CheckRepository, retention: RetentionRepository, database: Database
) -> None:
    check_id = await _decided(repository, retain_seconds=1000)
    with pytest.raises(Conflict):
        await retention.expire(check_id, after(999), event=_expired(check_id))
    assert await retention.expire(check_id, after(1000), event=_expired(check_id)) == ()
    assert await retention.expire(check_id, after(1001), event=_expired(check_id)) is None
    entries = await AuditReader(database).entries("default")
    assert [(entry.action, entry.check_id) for entry in entries] == [("evidence.expired", str(check_id))]


async def test_images_expire_before_their_check_and_the_record_stays(
    repository: CheckRepository,
    records: EvidenceRecordRepository,
    retention: RetentionRepository,
    database: Database,
) -> None:
    check_id = (await created(repository)).check_id
    kept = entry("kept")
    await repository.decide(check_id, epoch=None, decision=replace(decision(kept), images_until=after(500)))
    assert await retention.expired_images(after(499), 10) == []
    with pytest.raises(Conflict):
        await retention.expire_images(check_id, after(499), event=_expired(check_id))
    assert [one.check_id for one in await retention.expired_images(after(500), 10)] == [check_id]
    assert await retention.due(after(500)) == (
        DueChecks(policy="standard", due=0, held=0, images=1, since=after(500)),
    )
    assert await retention.expire_images(check_id, after(501), event=_expired(check_id)) == (kept,)
    assert await retention.expire_images(check_id, after(502), event=_expired(check_id)) is None

    check = await repository.get(check_id)
    assert check is not None
    assert (check.state, check.images_until, check.images_erase_time) == (
        CheckState.DECIDED,
        None,
        after(501),
    )
    assert await repository.evidence(check_id) == ()
    assert await repository.referenced([kept.object_key]) == frozenset()
    assert await records.find(check_id) is not None
    assert await retention.due(after(999)) == ()
    # The rest is erased as of any check.
    assert await retention.expire(check_id, after(1000), event=_expired(check_id)) == ()
    assert await records.find(check_id) is None
    entries = await AuditReader(database).entries("default")
    assert [one.action for one in entries] == ["evidence.expired"] * 2


async def test_a_hold_keeps_images_too(
    repository: CheckRepository, retention: RetentionRepository, database: Database
) -> None:
    check_id = (await created(repository)).check_id
    await repository.decide(
        check_id, epoch=None, decision=replace(decision(entry("kept")), images_until=after(500))
    )
    hold = StoredHold(reference="case-17", reason="court", placed_by="anna", place_time=after(30))
    await HoldRepository(database).place(check_id, hold, event=_expired(check_id))
    assert await retention.expired_images(after(600), 10) == []
    with pytest.raises(OnHold):
        await retention.expire_images(check_id, after(600), event=_expired(check_id))
    assert await retention.due(after(600)) == (
        DueChecks(policy="standard", due=0, held=1, images=0, since=after(500)),
    )
    assert len(await repository.evidence(check_id)) == 1


async def test_the_images_of_an_erased_check_are_not_due(
    repository: CheckRepository, retention: RetentionRepository
) -> None:
    check_id = (await created(repository)).check_id
    await repository.decide(
        check_id, epoch=None, decision=replace(decision(entry("kept")), images_until=after(500))
    )
    await retention.erase(check_id, after(400))
    assert await retention.expired_images(after(600), 10) == []
    assert await retention.expire_images(check_id, after(600), event=_expired(check_id)) is None


async def test_due_images_are_found_through_an_index(database: Database) -> None:
    query = select(checks.c.check_id).where(checks.c.images_until <= after(0)).order_by(checks.c.images_until)
    assert "ix_checks_images_until" in await database.read(plan_of, query)
