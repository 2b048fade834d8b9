"""Copies sealed objects from one store to another: to back them up, and to restore them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from server.backup.errors import BackupDamaged
from server.storage.errors import ObjectNotFound
from server.storage.objects import ObjectStore

__all__ = ["CopySummary", "copy_objects"]

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class CopySummary:
    """The numbers of objects that a copy handled.

    Attributes:
        copied: Objects that were copied.
        present: Objects that the target had already; their content never changes.
        gone: Objects that were erased from the source while the copy ran.
        pruned: Objects that were deleted from the target, because the source has them no more.
    """

    copied: int
    present: int
    gone: int
    pruned: int


async def copy_objects(
    source: ObjectStore,
    target: ObjectStore,
    *,
    prefix: str = "evidence",
    prune: bool = False,
    progress: Callable[[int], None],
) -> CopySummary:
    """Copies the objects that the target lacks. May be repeated after an interruption.

    Args:
        source: The store to read.
        target: The store to write.
        prefix: The segments with which keys begin.
        prune: Whether objects that the source has no more are deleted from the target, so that a backup keeps
            nothing that was erased.
        progress: Gets the number of objects handled so far.

    Raises:
        StorageUnavailable: A store does not answer.
        BackupDamaged: A copy differs from its source.
    """
    have = {info.key async for info in target.list(prefix)}
    wanted = {info.key async for info in source.list(prefix)}
    missing = sorted(wanted - have)
    copied = gone = 0
    for start in range(0, len(missing), _AT_ONCE):
        done = await asyncio.gather(
            *(_copy(source, target, key) for key in missing[start : start + _AT_ONCE])
        )
        copied += sum(done)
        gone += len(done) - sum(done)
        progress(copied + gone)
    pruned = sorted(have - wanted) if prune else []
    for key in pruned:
        await target.delete(key)
    return CopySummary(copied=copied, present=len(have & wanted), gone=gone, pruned=len(pruned))


async def _copy(source: ObjectStore, target: ObjectStore, key: str) -> bool:
    """Copies an object; returns False if it was erased meanwhile."""
    try:
        data = await source.get(key)
    except ObjectNotFound:
        return False
    await target.put(key, data)
    if await target.get(key) != data:
        raise BackupDamaged(f"the copy of {key} differs from its source; test the target's storage")
    return True
