import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.storage.errors import ObjectNotFound, StorageUnavailable
from server.storage.objects import ObjectStore, open_object_store
from tests.server.s3_process import S3, running_s3
from tests.server.silent_store import silent_store


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
    assert await store.exists("evidence/a/b")
    await store.put("evidence/a/b", b"new")
    assert await store.get("evidence/a/b") == b"new"


async def test_parts_of_objects_are_removed_once_they_are_old(tmp_path: Path) -> None:
    store = open_object_store(str(tmp_path))
    await store.put("evidence/a/b", b"whole")
    # As a process that was killed in ``put`` leaves it (tests/server/crash/test_interrupted_put.py).
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
def test_a_process_may_end_right_after_a_call(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ENDS, str(tmp_path / "objects")]
    assert [subprocess.run(command).returncode for _ in range(20)] == [0] * 20


async def test_a_missing_object_is_reported_as_missing(store: ObjectStore) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        await store.get("evidence/none")
    assert caught.value.key == "evidence/none"
    assert not await store.exists("evidence/none")
    await store.delete("evidence/none")


async def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    await store.put("evidence/x", b"x")
    await store.delete("evidence/x")
    assert not await store.exists("evidence/x")


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
        # More calls than threads: waiting for a thread does not take longer.
        calls = [store.put(f"evidence/{n}", b"1" * 100_000) for n in range(20)]
        answers = await asyncio.gather(
            *calls,
            store.get("evidence/a"),
            store.delete("evidence/a"),
            store.exists("evidence/a"),
            listed(),
            return_exceptions=True,
        )
        assert time.monotonic() - begun < 6
    assert {type(answer) for answer in answers} == {StorageUnavailable}
    assert any(line.startswith(b"PUT /facegate/objects/evidence/") for line in silent.asked)
