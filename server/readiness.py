"""Write probes for ``/readyz``: whether the object store and the disk under SQLite still take data.

A server whose database answers reads can still be unable to keep a verdict or its evidence. The probes write,
so their answer is kept for a few seconds: whoever asks often causes no load.
"""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from server.admin import Readiness
from server.storage.engine import database_file, is_sqlite
from server.storage.objects import ObjectStore

__all__ = ["CachedProbe", "disk_probe", "object_store_probe", "storage_readiness"]

Probe: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Raises where the part does not work."""

_CACHE_SECONDS = 5.0
_PROBE_PREFIX = "probe"
"""Outside ``evidence/``, which the sweep of orphans lists."""
_OBJECT = b"facegate write probe"
_DISK_BYTES = 64 * 1024


class CachedProbe:
    """Asks a probe at most every few seconds, and never twice at once."""

    def __init__(
        self,
        probe: Probe,
        *,
        seconds: float = _CACHE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes the probe; nothing is asked yet.

        Args:
            probe: What to ask.
            seconds: How long an answer holds.
            monotonic: A monotonic clock, seconds.
        """
        self._probe = probe
        self._seconds = seconds
        self._monotonic = monotonic
        self._running: asyncio.Task[None] | None = None
        self._asked = 0.0

    async def __call__(self) -> bool:
        """Whether the part works.

        Raises:
            Exception: What the probe raised.
        """
        running = self._running
        stale = running is not None and running.done() and self._monotonic() - self._asked >= self._seconds
        if running is None or stale:
            self._asked = self._monotonic()
            running = self._running = asyncio.create_task(self._probe())
            running.add_done_callback(_look_at)
        # Whoever gives up waiting leaves the probe to the next one who asks.
        await asyncio.shield(running)
        return True


def storage_readiness(objects: ObjectStore, *, database_url: str) -> Readiness:
    """The parts ``objects`` and, where the database is a SQLite file, ``disk``.

    Args:
        objects: The object store.
        database_url: The database, whose file's folder is written to.
    """
    # Of this process alone: replicas must not delete each other's object.
    parts = {"objects": CachedProbe(object_store_probe(objects, name=uuid.uuid4().hex))}
    file = database_file(database_url) if is_sqlite(database_url) else None
    if file is not None:
        parts["disk"] = CachedProbe(disk_probe(file.parent))
    return parts


def object_store_probe(objects: ObjectStore, *, name: str) -> Probe:
    """Stores, reads and deletes a small object.

    Args:
        objects: The store.
        name: Names the object.
    """
    key = f"{_PROBE_PREFIX}/{name}"

    async def probe() -> None:
        await objects.put(key, _OBJECT)
        if await objects.get(key) != _OBJECT:
            raise OSError("the object store gave back other bytes than were stored")
        await objects.delete(key)

    return probe


def disk_probe(folder: Path) -> Probe:
    """Writes a small file to ``folder``, waits until it is on the disk, and deletes it."""

    def write() -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_DISK_BYTES))
            file.flush()
            os.fsync(file.fileno())

    async def probe() -> None:
        await asyncio.to_thread(write)

    return probe


def _look_at(probe: "asyncio.Task[None]") -> None:
    # An error that nobody waits for any more is not reported as lost.
    if not probe.cancelled():
        probe.exception()
