"""Erasure: the results that are due, the rows that remain, and the rows that must not remain."""

import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest

from server.domain.reasons import CheckStatus
from server.domain.state import CheckState
from server.storage.errors import Conflict
from server.storage.records import NewAttempt
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.storage.lives import created, end, scanning
from tests.server.storage.samples import after, decision, entry, new_check, request


async def test_erasure_leaves_a_tombstone(
    repository: CheckRepository, retention: RetentionRepository
) -> None:
    check_id = (await scanning(repository)).check_id
    await repository.start_attempt(check_id, epoch=1, attempt=NewAttempt(1, after(2)))
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
    assert (tombstone.result, tombstone.session_key, tombstone.portrait_template) == (None, None, None)
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
