"""The number of files and sockets that the process may have open."""

import resource
from dataclasses import dataclass
from pathlib import Path

_OPEN = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class FileHandles:
    """The number of open handles, and its limit."""

    used: int
    limit: int


def file_handles() -> FileHandles:
    """Return the current number of handles of the process, and its limit."""
    return FileHandles(
        used=sum(1 for _ in _OPEN.iterdir()) if _OPEN.is_dir() else 0,
        limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def raise_limit() -> int:
    """Raise the soft limit to the hard limit if that is allowed; return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            # The kernel may have a lower limit of its own.
            return soft
    return hard
