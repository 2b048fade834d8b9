import asyncio
from pathlib import Path

import pytest

from server.running.admin import CachedProbe, disk_probe, object_store_probe, storage_readiness
from server.storage.errors import StorageUnavailable
from server.storage.objects import open_object_store


class Probe:
    """Counts its calls."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self) -> None:
        self.asked += 1
        await self.release.wait()
        if self.error is not None:
            raise self.error


class HandClock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


async def test_an_answer_holds_for_a_few_seconds() -> None:
    probe, clock = Probe(), HandClock()
    part = CachedProbe(probe, seconds=5.0, monotonic=clock)
    assert await part()
    probe.error = OSError("full")
    clock.time += 4.9
    assert await part()
    assert probe.asked == 1
    clock.time += 0.2
    with pytest.raises(OSError, match="full"):
        await part()
    probe.error = None
    with pytest.raises(OSError, match="full"):
        await part()
    clock.time += 5.0
    assert await part()
    assert probe.asked == 3


async def test_a_probe_that_hangs_is_asked_once_and_not_given_up() -> None:
    probe, clock = Probe(), HandClock()
    probe.release.clear()
    part = CachedProbe(probe, seconds=5.0, monotonic=clock)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(part(), 0.01)
        clock.time += 60.0
    assert probe.asked == 1
    probe.release.set()
    assert await part()


async def test_the_object_store_is_written_read_and_left_clean(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    objects = open_object_store(str(folder))
    probe = object_store_probe(objects, name="one")
    await probe()
    assert not [path for path in folder.rglob("*") if path.is_file()]
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()
    folder.rmdir()
    folder.write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        await probe()


def test_the_disk_is_written_and_left_clean(tmp_path: Path) -> None:
    asyncio.run(disk_probe(tmp_path)())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="absent"):
        asyncio.run(disk_probe(tmp_path / "absent")())


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("sqlite:////data/facegate.db", {"objects", "disk"}),
        ("postgresql+asyncpg://user@host/db", {"objects"}),
    ],
)
def test_the_disk_is_a_part_where_the_database_is_a_file(url: str, parts: set[str]) -> None:
    assert set(storage_readiness(open_object_store("memory://"), database_url=url)) == parts
