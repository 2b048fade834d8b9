"""What ends in the database: deadlines, erasure, and what no check refers to any more."""

import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest

from server.checks.state import CheckState
from server.storage.errors import (
    Conflict,
)
from server.storage.records import NewAttempt
from server.storage.repository import CheckRepository
from server.verdict import CheckStatus
from tests.server.storage.lives import created, end, lease, scanning
from tests.server.storage.samples import after, decision, entry, new_check, request


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


async def test_erasure_leaves_a_tombstone(repository: CheckRepository) -> None:
    check_id = (await scanning(repository)).check_id
    await repository.start_attempt(check_id, epoch=1, attempt=NewAttempt(1, after(2)))
    await end(repository, check_id, epoch=1, judgement=b"judged")
    kept = entry("kept")
    with pytest.raises(Conflict):
        await repository.erase(check_id, after(5))
    await repository.decide(check_id, epoch=1, decision=decision(kept))

    assert await repository.expired_results(after(999), 10) == []
    assert [r.check_id for r in await repository.expired_results(after(1000), 10)] == [check_id]
    assert await repository.erase(check_id, after(1001)) == (kept,)
    assert await repository.erase(check_id, after(1002)) == ()

    tombstone = await repository.get(check_id)
    assert tombstone is not None
    assert (tombstone.state, tombstone.erase_time) == (CheckState.ERASED, after(1001))
    assert tombstone.status is CheckStatus.FAILURE
    assert (tombstone.result, tombstone.session_key, tombstone.portrait_template) == (None, None, None)
    assert (tombstone.subject_reference, tombstone.consent_reference, tombstone.portrait_report) == (
        "",
        "",
        b"",
    )
    assert (await repository.attempts(check_id))[0].judgement is None
    assert await repository.evidence(check_id) == ()
    assert await repository.expired_results(after(5000), 10) == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_erasure_leaves_no_key_in_any_file(repository: CheckRepository, url: str) -> None:
    secret = b"wrapped-key-that-must-vanish-" + uuid4().bytes
    check_id = (await created(repository)).check_id
    kept = entry("kept", wrapped_key=secret)
    await repository.decide(check_id, epoch=None, decision=decision(kept, result=b"the result " + secret))
    folder = Path(url.removeprefix("sqlite+aiosqlite:///")).parent
    assert any(secret in file.read_bytes() for file in folder.iterdir())
    await repository.erase(check_id, after(1001))
    assert not any(secret in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_erasure_during_a_backup_is_completed_after_it(
    repository: CheckRepository, url: str
) -> None:
    secret = b"wrapped-key-that-must-vanish-" + uuid4().bytes
    check_id = (await created(repository)).check_id
    await repository.decide(
        check_id, epoch=None, decision=decision(entry("kept", wrapped_key=secret), result=b"r" + secret)
    )
    file = Path(url.removeprefix("sqlite+aiosqlite:///"))
    backup = sqlite3.connect(file, isolation_level=None)
    backup.execute("BEGIN")
    backup.execute("SELECT count(*) FROM checks").fetchone()
    await repository.erase(check_id, after(1001))
    assert not await repository.forget_erased()
    assert any(secret in one.read_bytes() for one in file.parent.iterdir())
    # Nobody else waits for the reader meanwhile.
    assert (await created(repository)).state is CheckState.CREATED
    backup.close()
    assert await repository.forget_erased()
    assert not any(secret in one.read_bytes() for one in file.parent.iterdir())


async def test_a_retried_request_finds_the_tombstone(repository: CheckRepository) -> None:
    record = await repository.create(new_check(), request())
    await repository.decide(record.check_id, epoch=None, decision=decision())
    await repository.erase(record.check_id, after(1001))
    again = await repository.create(new_check(), request())
    assert (again.check_id, again.state) == (record.check_id, CheckState.ERASED)


async def test_referenced_tells_kept_objects_from_orphans(repository: CheckRepository) -> None:
    check_id = (await created(repository)).check_id
    await repository.decide(check_id, epoch=None, decision=decision(entry("kept")))
    assert await repository.referenced(["evidence/kept", "evidence/orphan"]) == {"evidence/kept"}
    assert await repository.referenced([]) == frozenset()
