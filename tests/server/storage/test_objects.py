"""Objects, and the keys that wrap what is stored."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import obstore
import pytest
from obstore.exceptions import GenericError
from sqlalchemy import LargeBinary

from server.domain.terms import ImagePurpose, SealedKind
from server.keyring.sealing import Context, Sealed, WrappingKeys, seal, unseal
from server.storage.database import Database
from server.storage.errors import ObjectNotFound, StorageUnavailable
from server.storage.objects import ObjectStore, open_object_store
from server.storage.repository import CheckRepository
from server.storage.tables import metadata
from server.storage.wrapped_keys import PLACES, WrappedKeyRepository
from tests.ports import held_port
from tests.server.object_stores import S3, running_s3, silent_store
from tests.server.storage import samples
from tests.server.storage.samples import object_exists


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as s3:
        s3.make_bucket("facegate")
        yield s3


@pytest.fixture(params=["folder", "file url", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    if request.param == "s3":
        s3: S3 = request.getfixturevalue("s3")
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        return open_object_store(f"s3://facegate/{tmp_path.name}/objects")
    urls = {
        "folder": str(tmp_path / "a folder" / "objects"),
        "file url": f"file://{tmp_path}/an%20url/objects",
        "memory": "memory://",
    }
    return open_object_store(urls[request.param])


async def test_an_object_is_read_as_it_was_written(store: ObjectStore) -> None:
    data = os.urandom(300_000)
    await store.put("evidence/a/b", data)
    assert await store.get("evidence/a/b") == data
    await store.put("evidence/a/b", b"new")
    assert await store.get("evidence/a/b") == b"new"


async def test_parts_of_objects_are_removed_once_they_are_old(tmp_path: Path) -> None:
    store = open_object_store(str(tmp_path))
    await store.put("evidence/a/b", b"whole")
    # As a process that was killed in ``put`` leaves it (tests/server/crash/test_points.py).
    part = tmp_path / "evidence" / "a" / "c#1"
    await asyncio.to_thread(part.write_bytes, b"part")
    now = datetime.now(UTC)
    assert await store.remove_interrupted("evidence", older_than=now - timedelta(hours=1)) == 0
    assert await store.remove_interrupted("evidence", older_than=now + timedelta(hours=1)) == 1
    assert await store.remove_interrupted("none", older_than=now) == 0
    assert await store.get("evidence/a/b") == b"whole"
    assert not part.exists()


_ENDS = """
import asyncio, sys
from server.storage.objects import open_object_store

async def main():
    store = open_object_store(sys.argv[1])
    await store.put("evidence/a", b"1" * 100_000)
    assert len(await store.get("evidence/a")) == 100_000

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_process_may_end_right_after_a_call(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ENDS, str(tmp_path / "objects")]
    assert [subprocess.run(command).returncode for _ in range(20)] == [0] * 20


async def test_a_missing_object_is_reported_as_missing(store: ObjectStore) -> None:
    await store.put("evidence/gone", b"x")
    # To delete it again is no error.
    for _ in range(2):
        await store.delete("evidence/gone")
        with pytest.raises(ObjectNotFound) as caught:
            await store.get("evidence/gone")
        assert caught.value.key == "evidence/gone"


async def test_a_listing_has_every_object_of_the_prefix(store: ObjectStore) -> None:
    keys = {f"evidence/{n:03d}/o" for n in range(120)}
    await asyncio.gather(*(store.put(key, b"1") for key in keys))
    await store.put("other/o", b"1")
    found = [info async for info in store.list("evidence")]
    assert {info.key for info in found} == keys
    assert all(abs((datetime.now(UTC) - info.modified).total_seconds()) < 60 for info in found)
    assert [info async for info in store.list("nothing")] == []


async def test_a_written_object_is_synced_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink().relative_to(tmp_path)))
        fsync(handle)

    store = open_object_store(str(tmp_path / "objects"))
    monkeypatch.setattr(os, "fsync", noted)
    await store.put("evidence/a/b", b"1")
    assert synced == ["objects/evidence/a/b", "objects/evidence/a", "objects/evidence", "objects"]


async def test_nothing_temporary_is_left(tmp_path: Path) -> None:
    store = open_object_store(str(tmp_path))
    await asyncio.gather(*(store.put("evidence/same", bytes([n]) * 1000) for n in range(20)))
    assert _files(tmp_path) == ["same"]
    assert len(set(await store.get("evidence/same"))) == 1


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_an_empty_folder_goes_with_its_last_object(tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    store = open_object_store(str(objects))
    for key in ("evidence/a/1", "evidence/a/2", "top"):
        await store.put(key, b"data")
    await store.delete("evidence/a/1")
    assert await object_exists(store, "evidence/a/2")
    await store.delete("evidence/a/2")
    assert not (objects / "evidence" / "a").exists()
    await store.delete("evidence/a/2")
    await store.delete("top")
    assert objects.is_dir()


async def test_an_empty_folder_that_a_killed_process_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    store, now = open_object_store(str(tmp_path)), datetime.now(UTC)
    await store.put("evidence/b/1", b"data")
    (tmp_path / "evidence" / "a").mkdir()
    for older_than, left in ((now - timedelta(hours=1), {"a", "b"}), (now + timedelta(hours=1), {"b"})):
        assert await store.remove_interrupted("evidence", older_than=older_than) == 0
        assert {path.name for path in (tmp_path / "evidence").iterdir()} == left


async def test_a_write_survives_the_removal_of_its_empty_folder(tmp_path: Path) -> None:
    # Two stores of one folder, as of two servers.
    stores = [open_object_store(str(tmp_path)) for _ in range(2)]

    async def write_and_delete(index: int) -> None:
        store, key = stores[index % 2], f"evidence/a/{index}"
        for _ in range(150):
            await store.put(key, b"data")
            assert await store.get(key) == b"data"
            await store.delete(key)

    await asyncio.gather(*(write_and_delete(index) for index in range(6)))


async def test_a_folder_that_vanishes_while_a_file_is_written_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, failures = obstore.put, [GenericError("Unable to create dir: File exists")]

    def fail_once(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return put(*args)

    monkeypatch.setattr(obstore, "put", fail_once)
    store = open_object_store(str(tmp_path))
    await store.put("evidence/a/1", b"data")
    assert await store.get("evidence/a/1") == b"data"


@pytest.mark.parametrize("key", ["../outside", "evidence/../../outside"])
async def test_a_key_does_not_lead_out_of_the_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    store = open_object_store(str(tmp_path / "objects"))
    with pytest.raises((StorageUnavailable, ObjectNotFound)):
        await store.get(key)


def test_an_unusable_url_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for url in ("nosuch://bucket", str(tmp_path / "file" / "objects")):
        with pytest.raises(StorageUnavailable):
            open_object_store(url)


async def test_a_folder_that_fails_is_unavailable(tmp_path: Path) -> None:
    failed: list[str] = []
    store = open_object_store(str(tmp_path / "objects"), failed=failed.append)
    with pytest.raises(ObjectNotFound):
        await store.get("evidence/a")
    assert failed == []
    (tmp_path / "objects" / "evidence").write_text("in the way")
    with pytest.raises(StorageUnavailable):
        await store.put("evidence/a", b"1")
    assert failed == ["put"]


@pytest.mark.slow
async def test_a_store_that_never_answers_is_unavailable_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with silent_store() as silent:
        for name, value in silent.environment.items():
            monkeypatch.setenv(name, value)
        store = open_object_store("s3://facegate/objects")

        async def listed() -> None:
            assert [info async for info in store.list("evidence")] == []

        begun = time.monotonic()
        # Ten times as many calls as threads, each for 4 seconds: waiting for a thread does not take longer.
        calls = [store.put(f"evidence/{n}", b"1" * 100_000) for n in range(160)]
        answers = await asyncio.gather(
            *calls,
            store.get("evidence/a"),
            store.delete("evidence/a"),
            listed(),
            return_exceptions=True,
        )
        assert time.monotonic() - begun < 36
    assert {type(answer) for answer in answers} == {StorageUnavailable}
    assert any(line.startswith(b"PUT /facegate/objects/evidence/") for line in silent.asked)


@pytest.mark.slow
async def test_a_proxy_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough for all of obstore's tries, on any machine.
    monkeypatch.setattr("server.storage.objects._CALL_SECONDS", 60.0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    with held_port() as port:
        monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{port}")
        store = open_object_store("s3://facegate/objects")
        with pytest.raises(StorageUnavailable) as refused:
            await store.get("evidence/a")
    assert f"through the proxy 127.0.0.1:{port}, which https_proxy names" in str(refused.value)


_OLD = WrappingKeys(newest="old", keys={"old": bytes(32)})
_NEW = WrappingKeys(
    newest="new",
    keys={"old": bytes(32), "new": bytes([1]) * 32, "bank": bytes([2]) * 32},
    tenants={"bank": "bank"},
)


@pytest.fixture
def keys(database: Database) -> WrappedKeyRepository:
    return WrappedKeyRepository(database)


async def with_template(repository: CheckRepository, tenant: str = "default") -> tuple[UUID, Context]:
    """Create a check whose template is sealed under the old key."""
    check = samples.new_check(tenant=tenant)
    aad = Context(tenant=tenant, check_id=check.check_id, kind=SealedKind.PORTRAIT_TEMPLATE)
    sealed = seal(b"template", wrapping_keys=_OLD, aad=aad)
    await repository.create(replace(check, portrait_template=sealed), None)
    return check.check_id, aad


async def template_of(repository: CheckRepository, check_id: UUID) -> Sealed:
    check = await repository.get(check_id)
    assert check is not None
    assert check.portrait_template is not None
    return check.portrait_template


def test_every_wrapped_key_has_its_place() -> None:
    found = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("wrapped_key") and isinstance(column.type, LargeBinary)
    }
    assert found == {(place.table.name, place.wrapped_key.name) for place in PLACES}


async def test_every_record_opens_with_the_new_key_alone(
    repository: CheckRepository, keys: WrappedKeyRepository
) -> None:
    made = [await with_template(repository, tenant) for tenant in ("default",) * 5 + ("bank",) * 2]
    assert (await keys.count())["templates"] == {"old": 7}
    assert [batch.changed async for batch in keys.rewrap(PLACES[0], _NEW, limit=3)] == [3, 3, 1]
    assert (await keys.count())["templates"] == {"new": 5, "bank": 2}
    for check_id, aad in made:
        only = WrappingKeys(
            newest=_NEW.key_id_for(aad.tenant),
            keys={_NEW.key_id_for(aad.tenant): _NEW.key(_NEW.key_id_for(aad.tenant))},
        )
        assert unseal(await template_of(repository, check_id), wrapping_keys=only, aad=aad) == b"template"


async def test_a_second_run_changes_nothing(repository: CheckRepository, keys: WrappedKeyRepository) -> None:
    check_id, _ = await with_template(repository)
    assert [batch.changed async for batch in keys.rewrap(PLACES[0], _NEW)] == [1]
    before = await template_of(repository, check_id)
    (again,) = [batch async for batch in keys.rewrap(PLACES[0], _NEW)]
    assert (again.rows, again.changed, again.lost) == (1, 0, 0)
    assert await template_of(repository, check_id) == before


async def test_a_key_that_cannot_be_opened_is_counted_and_stays(
    repository: CheckRepository, keys: WrappedKeyRepository
) -> None:
    check_id, _ = await with_template(repository)
    before = await template_of(repository, check_id)
    unknown = WrappingKeys(newest="new", keys={"new": bytes([1]) * 32})
    assert [(batch.changed, batch.lost) async for batch in keys.rewrap(PLACES[0], unknown)] == [(0, 1)]
    assert await template_of(repository, check_id) == before


async def test_each_image_opens_in_its_own_context(
    repository: CheckRepository, keys: WrappedKeyRepository
) -> None:
    check_id = (await repository.create(samples.new_check(), None)).check_id
    kinds = (ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE)
    contexts = [Context(tenant="default", check_id=check_id, kind=kind) for kind in kinds]
    sealed = [seal(aad.kind.encode(), wrapping_keys=_OLD, aad=aad) for aad in contexts]
    entries = [
        replace(samples.entry(kind, kind=kind, wrapped_key=one.wrapped_key), key_id="old")
        for kind, one in zip(kinds, sealed, strict=True)
    ]
    await repository.decide(check_id, epoch=None, decision=samples.decision(*entries))
    assert [batch.changed async for batch in keys.rewrap(PLACES[1], _NEW)] == [2]
    kept = await repository.evidence(check_id)
    for entry, one, aad in zip(kept, sealed, contexts, strict=True):
        assert entry.key_id == "new"
        now = Sealed(one.ciphertext, entry.wrapped_key, entry.key_id)
        assert unseal(now, wrapping_keys=_NEW, aad=aad) == aad.kind.encode()
