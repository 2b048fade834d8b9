"""The lease of a check: one stream holds it, and a newer one fences the older."""

import hashlib
from uuid import uuid4

import pytest

from server.domain.terms import CheckState
from server.storage.errors import Conflict, SessionKeyMismatch, SessionKeyUnproven
from server.storage.repository import CheckRepository
from tests.server.storage.lives import end, lease, scanning
from tests.server.storage.samples import NOW, SESSION_KEY, after, decision, entry, new_check


async def test_the_first_stream_binds_its_session_key(repository: CheckRepository) -> None:
    record = await scanning(repository)
    assert record.state is CheckState.SCANNING
    assert (record.lease_epoch, record.streams, record.lease_owner) == (1, 1, "replica-1")
    assert record.lease_until == after(16)
    assert record.session_key == SESSION_KEY
    assert record.session_key_sha256 == hashlib.sha256(SESSION_KEY).digest()


async def test_another_session_key_is_refused_and_does_not_fence(repository: CheckRepository) -> None:
    record = await scanning(repository)
    with pytest.raises(SessionKeyMismatch):
        await repository.acquire_lease(
            record.check_id, session_key=b"another", proven=True, owner="x", now=after(2), lease_seconds=15
        )
    assert await repository.get(record.check_id) == record


async def test_a_bound_session_key_needs_its_proof_and_does_not_fence_without(
    repository: CheckRepository,
) -> None:
    record = await scanning(repository)
    with pytest.raises(SessionKeyUnproven):
        await repository.acquire_lease(
            record.check_id, session_key=SESSION_KEY, proven=False, owner="x", now=after(2), lease_seconds=15
        )
    assert await repository.get(record.check_id) == record


async def test_a_newer_stream_fences_the_older_in_everything(repository: CheckRepository) -> None:
    old = await scanning(repository)
    check_id = old.check_id
    await repository.start_attempt(check_id, epoch=1, number=1, start_time=after(2))
    new = await lease(repository, old)
    assert (new.lease_epoch, new.streams) == (2, 2)

    with pytest.raises(Conflict) as caught:
        await repository.start_attempt(check_id, epoch=1, number=2, start_time=after(3))
    assert (caught.value.state, caught.value.lease_epoch) == (CheckState.SCANNING, 2)
    with pytest.raises(Conflict):
        await repository.count_attempt(check_id, epoch=1, attempt=1, frames=8)
    with pytest.raises(Conflict):
        await end(repository, check_id, epoch=1)
    with pytest.raises(Conflict):
        await repository.decide(check_id, epoch=1, decision=decision(entry("fenced")))
    with pytest.raises(Conflict):
        await repository.suspend(check_id, epoch=1, bytes_received=5, resume_until=after(9))
    assert not await repository.renew_lease(check_id, epoch=1, now=after(3), lease_seconds=15)
    assert await repository.evidence(check_id) == ()
    assert await repository.get(check_id) == new


async def test_a_renewed_lease_lasts_and_notes_the_bytes(repository: CheckRepository) -> None:
    record = await scanning(repository)
    assert await repository.renew_lease(
        record.check_id, epoch=1, now=after(10), lease_seconds=15, bytes_received=4096
    )
    renewed = await repository.get(record.check_id)
    assert renewed is not None
    assert (renewed.lease_until, renewed.bytes_received) == (after(25), 4096)
    assert await repository.renew_lease(record.check_id, epoch=1, now=after(11), lease_seconds=15)
    again = await repository.get(record.check_id)
    assert again is not None
    assert again.bytes_received == 4096
    assert not await repository.renew_lease(uuid4(), epoch=1, now=NOW, lease_seconds=15)


async def test_a_suspended_check_waits_and_may_be_resumed(repository: CheckRepository) -> None:
    record = await scanning(repository)
    waiting = await repository.suspend(record.check_id, epoch=1, bytes_received=77, resume_until=after(21))
    assert (waiting.state, waiting.lease_owner, waiting.lease_until) == (CheckState.WAITING, None, None)
    assert (waiting.bytes_received, waiting.resume_until) == (77, after(21))
    assert not await repository.renew_lease(record.check_id, epoch=1, now=after(2), lease_seconds=15)
    resumed = await lease(repository, waiting)
    assert (resumed.state, resumed.lease_epoch) == (CheckState.SCANNING, 2)
    assert resumed.resume_until is None


async def test_due_are_passed_deadlines_that_no_stream_holds(repository: CheckRepository) -> None:
    waiting_long = await repository.create(new_check(scan_seconds=10), None)
    dead = await lease(repository, await repository.create(new_check(scan_seconds=500), None), seconds=20)
    alive = await lease(repository, await repository.create(new_check(scan_seconds=600), None), seconds=690)
    decided = await repository.create(new_check(scan_seconds=5), None)
    await repository.decide(decided.check_id, epoch=None, decision=decision())

    assert await repository.due(after(9.9), 10) == []
    assert [r.check_id for r in await repository.due(after(10), 10)] == [waiting_long.check_id]
    assert [r.check_id for r in await repository.due(after(501), 10)] == [
        waiting_long.check_id,
        dead.check_id,
    ]
    assert [r.check_id for r in await repository.due(after(501), 1)] == [waiting_long.check_id]
    assert len(await repository.due(after(601), 10)) == 2
    first, second = await repository.due(after(601), 10)
    assert await repository.due(after(601), 10, after=first) == [second]
    assert await repository.due(after(601), 10, after=second) == []
    assert alive.check_id in {r.check_id for r in await repository.due(after(700), 10)}
