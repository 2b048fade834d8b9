"""How many files and sockets the process may hold open, and how the listeners share them.

A server without a free handle accepts nobody on any listener, its own operators included. So each listener
has a most of connections, which together leave a reserve for the database, objects and decoders.
"""

import resource
from dataclasses import dataclass
from pathlib import Path

from server.errors import ConfigurationError
from server.settings import LimitSettings

__all__ = ["ADMIN_CONNECTIONS", "ConnectionLimits", "FileHandles", "file_handles", "raise_limit", "share"]

ADMIN_CONNECTIONS = 64
"""Connections of the admin listener."""
_OPEN = Path("/proc/self/fd")
_RESERVE = 256
"""For what the server itself opens: database, objects, models, decoders, key files."""
_MOST_CONNECTIONS = 20_000
"""Of one listener, whatever the process may open: a connection takes memory, too."""


@dataclass(frozen=True, slots=True)
class FileHandles:
    """Handles that are open, and how many may be."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The most connections of each gRPC listener."""

    device: int
    service: int


def file_handles() -> FileHandles:
    """The process's handles now."""
    return FileHandles(
        used=sum(1 for _ in _OPEN.iterdir()) if _OPEN.is_dir() else 0,
        limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def raise_limit() -> int:
    """Raises the soft limit to the hard one, where that is allowed; the limit from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            # macOS names a hard limit that it does not grant.
            return soft
    return hard


def share(limits: LimitSettings, *, handles: int) -> ConnectionLimits:
    """Shares the handles out.

    Args:
        limits: What the server is to take on; each scan, call, upload and watch may come on a connection of
            its own.
        handles: How many handles the process may hold open; negative for any number.

    Raises:
        ConfigurationError: They are too few.
    """
    scans, calls = limits.max_scans, limits.max_unary + limits.max_uploads + limits.max_watches
    needed = 2 * scans + calls + ADMIN_CONNECTIONS + _RESERVE
    if handles < 0:
        return ConnectionLimits(_MOST_CONNECTIONS, _MOST_CONNECTIONS)
    if handles < needed:
        raise ConfigurationError(
            f"the process may hold {handles} files open and the limits of the settings need {needed}: raise "
            "the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of Docker), or lower "
            "limits.max_scans, limits.max_unary, limits.max_uploads or limits.max_watches"
        )
    free = handles - ADMIN_CONNECTIONS - _RESERVE
    service = min(_MOST_CONNECTIONS, max(calls, free // 4))
    return ConnectionLimits(device=min(_MOST_CONNECTIONS, free - service), service=service)
