from pathlib import Path

import pytest

from server.backup import BackupDamaged, CopySummary, copy_objects
from server.storage.objects import ObjectStore, open_object_store


def silent(_count: int) -> None:
    """Shows no progress."""


@pytest.fixture
def stores(tmp_path: Path) -> tuple[ObjectStore, ObjectStore]:
    return open_object_store(str(tmp_path / "source")), open_object_store(str(tmp_path / "target"))


async def test_every_object_is_copied_once(stores: tuple[ObjectStore, ObjectStore]) -> None:
    source, target = stores
    for number in range(20):
        await source.put(f"evidence/{number}", bytes([number]))
    await source.put("other/1", b"not evidence")
    assert await copy_objects(source, target, progress=silent) == CopySummary(20, 0, 0, 0)
    assert await target.get("evidence/7") == b"\x07"
    assert not await target.exists("other/1")
    await source.put("evidence/20", b"new")
    assert await copy_objects(source, target, progress=silent) == CopySummary(1, 20, 0, 0)


async def test_erased_objects_stay_in_the_backup_unless_it_is_pruned(
    stores: tuple[ObjectStore, ObjectStore],
) -> None:
    source, target = stores
    await source.put("evidence/1", b"1")
    await source.put("evidence/2", b"2")
    await copy_objects(source, target, progress=silent)
    await source.delete("evidence/1")
    assert await copy_objects(source, target, progress=silent) == CopySummary(0, 1, 0, 0)
    assert await copy_objects(source, target, prune=True, progress=silent) == CopySummary(0, 1, 0, 1)
    assert not await target.exists("evidence/1")


async def test_an_object_that_is_erased_meanwhile_is_left_out(
    stores: tuple[ObjectStore, ObjectStore],
) -> None:
    source, target = stores
    for number in range(16):
        await source.put(f"evidence/{number:02}", b"x")

    class Erasing:
        """The source, from which an object disappears after it was listed."""

        def __getattr__(self, name: str) -> object:
            return getattr(source, name)

        async def get(self, key: str) -> bytes:
            if key == "evidence/09":
                await source.delete(key)
            return await source.get(key)

    erasing: ObjectStore = Erasing()  # type: ignore[assignment] # it passes on what it lacks
    assert await copy_objects(erasing, target, progress=silent) == CopySummary(15, 0, 1, 0)


async def test_a_copy_that_differs_is_an_error(
    stores: tuple[ObjectStore, ObjectStore], tmp_path: Path
) -> None:
    source, target = stores
    await source.put("evidence/1", b"1")

    class Corrupting:
        """A target that stores other bytes."""

        def __getattr__(self, name: str) -> object:
            return getattr(target, name)

        async def put(self, key: str, data: bytes) -> None:
            await target.put(key, data + b"!")

    corrupting: ObjectStore = Corrupting()  # type: ignore[assignment] # it passes on what it lacks
    with pytest.raises(BackupDamaged, match="evidence/1"):
        await copy_objects(source, corrupting, progress=silent)
