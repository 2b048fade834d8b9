"""Write probes for ``/readyz``: whether the object store and the disk under SQLite still accept data.

A server whose database answers reads can still be unable to store a decision or its evidence. The probes
write, so their result is cached for a few seconds: frequent requests cause no load.
"""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from server.running.admin import Readiness
from server.storage.engine import database_file, is_sqlite
from server.storage.objects import ObjectStore

__all__ = ["CachedProbe", "disk_probe", "object_store_probe", "storage_readiness"]

Probe: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Raises an exception if the part does not work."""

_CACHE_SECONDS = 5.0
_PROBE_PREFIX = "probe"
"""Outside ``evidence/``, which the sweep of orphans lists."""
_OBJECT = b"facegate write probe"
_DISK_BYTES = 64 * 1024


class CachedProbe:
    """Runs a probe at most every few seconds, and never twice at once."""

    def __init__(
        self,
        probe: Probe,
        *,
        seconds: float = _CACHE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Sets the probe; does not run it.

        Args:
            probe: The probe.
            seconds: How long a result is valid.
            monotonic: A monotonic clock, seconds.
        """
        self._probe = probe
        self._seconds = seconds
        self._monotonic = monotonic
        self._running: asyncio.Task[None] | None = None
        self._asked = 0.0

    async def __call__(self) -> bool:
        """Returns ``True`` if the part works.

        Raises:
            Exception: The exception of the probe.
        """
        running = self._running
        stale = running is not None and running.done() and self._monotonic() - self._asked >= self._seconds
        if running is None or stale:
            self._asked = self._monotonic()
            running = self._running = asyncio.create_task(self._probe())
            running.add_done_callback(_retrieve_error)
        # If this caller is cancelled, the probe continues for the next caller.
        await asyncio.shield(running)
        return True


def storage_readiness(objects: ObjectStore, *, database_url: str) -> Readiness:
    """Returns the parts ``objects`` and, if the database is a SQLite file, ``disk``.

    Args:
        objects: The object store.
        database_url: The URL of the database; the probe writes to the folder of its file.
    """
    # The name is unique to this process, because replicas must not delete each other's object.
    parts = {"objects": CachedProbe(object_store_probe(objects, name=uuid.uuid4().hex))}
    file = database_file(database_url) if is_sqlite(database_url) else None
    if file is not None:
        parts["disk"] = CachedProbe(disk_probe(file.parent))
    return parts


def object_store_probe(objects: ObjectStore, *, name: str) -> Probe:
    """Returns a probe that stores, reads and deletes a small object.

    Args:
        objects: The store.
        name: The name of the object.
    """
    key = f"{_PROBE_PREFIX}/{name}"

    async def probe() -> None:
        await objects.put(key, _OBJECT)
        if await objects.get(key) != _OBJECT:
            raise OSError("the object store returned other bytes than were stored")
        await objects.delete(key)

    return probe


def disk_probe(folder: Path) -> Probe:
    """Returns a probe that writes a small file to ``folder``, syncs it to the disk, and deletes it."""

    def write() -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_DISK_BYTES))
            file.flush()
            os.fsync(file.fileno())

    async def probe() -> None:
        await asyncio.to_thread(write)

    return probe


def _retrieve_error(probe: "asyncio.Task[None]") -> None:
    # Otherwise asyncio would log an exception that no caller awaits any more.
    if not probe.cancelled():
        probe.exception()
