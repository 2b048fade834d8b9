"""The memory of the server: freed memory goes back to the system, and new scans wait before it runs out.

gRPC decodes the headers of a call before any code of the server sees the call, and no option limits the
memory that it takes for that (docs/operating.md). What remains is to notice it in time.
"""

import asyncio
import ctypes
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from server.base.process_limits import group_folders
from server.running.background import Background

_HIGH: Final = 0.85
"""Of the limit: above it, new scans are refused. Decoders and running scans need the rest."""
_LOW: Final = 0.70
"""Below it, they are served again."""
_CALM_SECONDS: Final = 30.0
"""Below the first mark for so long, they are served again, too: ordinary use may lie between the marks."""
_EVERY_SECONDS: Final = 0.5
_TRIM_EVERY_SECONDS: Final = 2.0
"""A trim takes 4 ms, so 0.2 % of a core."""
_TRIM_GROWTH_BYTES: Final = 64 * 1024 * 1024
_NO_LIMIT: Final = 1 << 60
"""Version 1 of cgroups states a number near 2^63 if there is no limit."""
_NAMES: Final = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory that is in use and cannot simply be reclaimed, and its limit, bytes."""

    used: int
    limit: int


def is_short(use: MemoryUse, *, was_short: bool, calm_seconds: float = 0.0) -> bool:
    """Return whether new scans are refused; between the two marks it stays as it was for half a minute.

    Args:
        was_short: Whether they were refused until now.
        calm_seconds: How long the use has been below the upper mark.
    """
    if use.used >= use.limit * _HIGH:
        return True
    return was_short and use.used >= use.limit * _LOW and calm_seconds < _CALM_SECONDS


def read_memory(limit: int | None, *, root: Path = Path("/")) -> MemoryUse | None:
    """Return the memory of this process against ``limit``, or that of its control group against the group's.

    Of several groups with a limit, one inside the other, the one nearest to its limit counts.

    Args:
        limit: The limit that the settings state, bytes; ``None`` for that of the control group.

    Returns:
        ``None`` if there is no limit, or if the system does not show it.
    """
    if limit is not None:
        resident = _resident(root)
        return None if resident is None else MemoryUse(resident, limit)
    found = list(_groups(root))
    return max(found, key=lambda use: use.used / use.limit, default=None)


def limit_arenas() -> None:
    """Make glibc's malloc use few arenas, so that ``malloc_trim`` finds more to give back.

    Has no effect on the arenas that exist already, with another C library, or if ``MALLOC_ARENA_MAX`` is set.
    """
    if "MALLOC_ARENA_MAX" not in os.environ and hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, _ARENAS)


class MemoryWatch(Background):
    """Reads the memory twice a second, in a task of its own."""

    failed = "memory_watch_failed"

    def __init__(
        self,
        read: Callable[[], MemoryUse | None],
        changed: Callable[[bool], None],
        *,
        trim: Callable[[], None] | None = None,
    ) -> None:
        """Prepare the watch; ``start`` starts the task.

        Args:
            read: Returns the memory in use; blocks for a moment.
            changed: Called on the event loop with whether memory is short from now on.
            trim: Gives freed memory back; by default glibc's ``malloc_trim``. Runs in a thread.
        """
        super().__init__()
        self._read = read
        self._changed = changed
        self._trim = trim or _malloc_trim
        self._trimmed_at = -_TRIM_EVERY_SECONDS
        self._least_bytes = math.inf
        self._high_at = -math.inf
        self.short = False

    def start(self) -> None:
        """Start the task."""
        self.repeat(self.look, _EVERY_SECONDS)

    async def is_enough(self) -> bool:
        """Whether new scans are served, for ``/readyz``."""
        return not self.short

    async def look(self) -> None:
        """Read the memory once, give freed memory back, and report a change."""
        await self._give_back()
        use = self._read()
        if use is None:
            return
        now = time.monotonic()
        if use.used >= use.limit * _HIGH:
            self._high_at = now
        short = is_short(use, was_short=self.short, calm_seconds=now - self._high_at)
        if short == self.short:
            return
        self.short = short
        mib = {"used_mib": use.used >> 20, "limit_mib": use.limit >> 20}
        if short:
            _log.warning("memory_short", **mib)
        else:
            _log.info("memory_enough", **mib)
        self._changed(short)

    async def _give_back(self) -> None:
        resident = _resident(Path("/"))
        now = time.monotonic()
        if resident is None or now - self._trimmed_at < _TRIM_EVERY_SECONDS:
            return
        self._least_bytes = min(self._least_bytes, resident)
        # Freed memory that malloc keeps cannot be seen from here, so it tries again as long as there is more.
        if resident - self._least_bytes >= _TRIM_GROWTH_BYTES:
            self._trimmed_at = now
            await asyncio.to_thread(self._trim)


_libc = ctypes.CDLL(None)


def _malloc_trim() -> None:
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def _resident(root: Path) -> int | None:
    """Bytes of this process in memory, without the files that it maps, which the system can drop."""
    try:
        _, resident, shared, *_ = (root / "proc/self/statm").read_text().split()
    except (OSError, ValueError):
        return None
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _groups(root: Path) -> Iterator[MemoryUse]:
    """The groups of this process that have a limit, of either version."""
    for folder, version in group_folders("memory", root=root):
        use = _group(folder, *_NAMES[version])
        if use is not None:
            yield use


def _group(folder: Path, limit_name: str, used_name: str, reclaimable_name: str) -> MemoryUse | None:
    try:
        limit = int((folder / limit_name).read_text())
        used = int((folder / used_name).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        reclaimable = int(stat.get(reclaimable_name, 0))
    except (OSError, ValueError):
        # "max" is no number: there is no limit here.
        return None
    if not 0 < limit < _NO_LIMIT:
        return None
    # The system drops cached files before it stops a process, as the working set of Kubernetes has it.
    return MemoryUse(max(0, used - reclaimable), limit)
