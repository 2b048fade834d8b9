"""What the machine lets this process use: processors, by its control groups too, and open files."""

import os
import resource
from collections.abc import Iterator
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


def raise_handle_limit() -> int:
    """Raise the soft limit to the hard limit if that is allowed; return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            # The kernel may have a lower limit of its own.
            return soft
    return hard


def group_folders(controller: str, *, root: Path = Path("/")) -> Iterator[tuple[Path, int]]:
    """Yield the folders of a controller for this process's groups, innermost first, and their version."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            mount, version = root / "sys/fs/cgroup", 2
        elif controller in controllers.split(","):
            mount, version = root / "sys/fs/cgroup" / controller, 1
        else:
            continue
        folder = mount / path.lstrip("/")
        # In a container without a namespace of its own, the path is that of the machine and does not exist.
        for group in [folder, *folder.parents]:
            if not group.is_relative_to(mount):
                break
            yield group, version


def usable_processors(*, root: Path = Path("/")) -> float:
    """Return how many processors this process may use: by its affinity, and by the quotas of its groups."""
    quotas = (_quota(folder, version) for folder, version in group_folders("cpu", root=root))
    known = [quota for quota in quotas if quota is not None]
    return min([float(len(os.sched_getaffinity(0))), *known])


def _quota(folder: Path, version: int) -> float | None:
    try:
        if version == 2:
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = (
                (folder / name).read_text() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        # "max" is no number: there is no quota here.
        return None
    return share if share > 0 else None
