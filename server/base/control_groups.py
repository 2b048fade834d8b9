"""The control groups of this process, and the processors that they let it use."""

import os
from collections.abc import Iterator
from pathlib import Path


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
