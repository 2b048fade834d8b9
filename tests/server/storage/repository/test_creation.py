"""Checks that are created, by a request once, and read back."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from server.domain.terms import CheckState
from server.storage.database import open_database
from server.storage.errors import RequestIdReused, StorageUnavailable
from server.storage.repository import CheckRepository
from tests.server.storage.lives import created, scanning
from tests.server.storage.samples import NOW, new_check, request


async def test_a_created_check_is_read_back_as_it_was_given(repository: CheckRepository) -> None:
    check = new_check()
    record = await repository.create(check, request())
    assert record == await repository.get(check.check_id)
    for name in set(check.__slots__) - {"tries", "images"}:
        assert getattr(record, name) == getattr(check, name), name
    assert (record.state, record.lease_epoch, record.streams, record.bytes_received) == (
        CheckState.CREATED, 0, 0, 0,
    )  # fmt: skip
    assert (record.status, record.session_key, record.decide_time) == (None,) * 3
    assert record.reasons == ()


async def test_times_come_back_in_utc_whatever_zone_they_were_given_in(repository: CheckRepository) -> None:
    record = await created(repository)
    assert record.create_time == NOW
    assert record.create_time.utcoffset() == NOW.utcoffset()


async def test_another_tenant_does_not_see_the_check(repository: CheckRepository) -> None:
    check = new_check(tenant="bank-a")
    await repository.create(check, None)
    assert await repository.get(check.check_id, "bank-b") is None
    assert await repository.get(check.check_id, "bank-a") is not None
    assert await repository.get(uuid4()) is None


async def test_a_repeated_request_gives_the_first_check(repository: CheckRepository) -> None:
    first = await repository.create(new_check(), request())
    again = await repository.create(new_check(), request())
    assert again == first
    assert await repository.find_by_request(request()) == first


async def test_a_request_id_with_another_payload_is_refused_and_creates_nothing(
    repository: CheckRepository,
) -> None:
    await repository.create(new_check(), request())
    other = new_check()
    with pytest.raises(RequestIdReused):
        await repository.create(other, request(payload=b"other"))
    with pytest.raises(RequestIdReused):
        await repository.find_by_request(request(payload=b"other"))
    assert await repository.get(other.check_id) is None


async def test_request_ids_of_tenants_do_not_meet(repository: CheckRepository) -> None:
    first = await repository.create(new_check(tenant="a"), request(tenant="a"))
    assert await repository.find_by_request(request(tenant="b")) is None
    second = await repository.create(new_check(tenant="b"), request(tenant="b", payload=b"other"))
    assert first.check_id != second.check_id


async def test_the_same_request_made_at_once_creates_one_check(repository: CheckRepository) -> None:
    records = await asyncio.gather(*(repository.create(new_check(), request()) for _ in range(12)))
    assert len({record.check_id for record in records}) == 1


async def test_the_first_checks_of_a_policy_may_come_at_once(repository: CheckRepository) -> None:
    # In each round all calls find the policy missing, and one call of each pair finds its request created.
    for n in range(4):
        made = await asyncio.gather(
            *(
                repository.create(new_check(policy=b"%d" % n), request(f"{n} {k // 2}", payload=b"same"))
                for k in range(12)
            )
        )
        assert len({record.check_id for record in made}) == 6


async def test_two_checks_share_one_stored_policy(repository: CheckRepository, url: str) -> None:
    await repository.create(new_check(policy=b"one"), None)
    await repository.create(new_check(policy=b"one"), None)
    record = await repository.create(new_check(policy=b"two"), None)
    assert record.policy_source == b"two"
    database = open_database(url)
    query = text("select count(*) from policies")
    assert await database.read(lambda connection: connection.execute(query).scalar_one()) == 2
    await database.close()


async def test_the_repository_reports_if_any_check_exists(repository: CheckRepository) -> None:
    assert not await repository.any_check()
    await created(repository)
    assert await repository.any_check()


async def test_a_cancelled_call_leaves_the_database_usable(repository: CheckRepository) -> None:
    began = time.monotonic()
    for delay in range(25):
        task = asyncio.create_task(repository.create(new_check(), None))
        await asyncio.sleep(delay * 0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await repository.ping()
    assert (await scanning(repository)).state is CheckState.SCANNING
    # Far below the busy timeout, so no cancelled call kept the write lock.
    assert time.monotonic() - began < 5


async def test_a_database_without_tables_is_unavailable_and_discloses_no_values(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'empty.db'}", make=True)
    repository = CheckRepository(database)
    with pytest.raises(StorageUnavailable) as caught:
        await repository.ping()
    with pytest.raises(StorageUnavailable):
        await repository.create(new_check(), None)
    assert "select" not in str(caught.value).lower()
    await database.close()
