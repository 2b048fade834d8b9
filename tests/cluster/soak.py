"""What a server uses: nothing of it grows under a steady load."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from server.storage.tables import metadata
from tests.cluster.servers import Cluster

_WARM_UP = 0.25
"""The share of a soak that is not looked at."""
_BOUNDS = {
    "rss_mib": (1.10, 16.0),
    "files": (1.0, 16.0),
    "threads": (1.0, 8.0),
    "temporary": (1.0, 8.0),
    "rows_a_check": (1.05, 1.0),
}
"""How much the last fifth of a soak may use: times what the first one after the warm-up did, and more."""
_ROWS = "SELECT " + " + ".join(f"(SELECT count(*) FROM {table.name})" for table in metadata.sorted_tables)  # noqa: S608


@dataclass(frozen=True)
class Sample:
    """One look at both servers together, with their decoder processes."""

    checks: int
    rss_mib: float
    files: int
    threads: int
    temporary: int
    rows_a_check: float


async def sample(cluster: Cluster, *, checks: int) -> Sample:
    """Look."""
    processes = [process for replica in cluster.replicas for process in _family(replica.running.process.pid)]
    status = [_status(process) for process in processes]
    (rows,) = (await cluster.select(_ROWS))[0]
    return Sample(
        checks=checks,
        rss_mib=round(sum(one["VmRSS"] for one in status) / 1024, 1),
        files=sum(len(list((process / "fd").iterdir())) for process in processes),
        threads=sum(one["Threads"] for one in status),
        temporary=_temporary(cluster),
        rows_a_check=round(int(str(rows)) / max(1, checks), 2),
    )


def growth(samples: Sequence[Sample]) -> list[str]:
    """Say what grew beyond its bound."""
    if not samples:
        return ["the soak was too short to sample"]
    warm = samples[int(len(samples) * _WARM_UP) :]
    fifth = max(1, len(warm) // 5)
    problems = []
    for name, (times, more) in _BOUNDS.items():
        first, last = (mean(getattr(one, name) for one in part) for part in (warm[:fifth], warm[-fifth:]))
        if last > times * first + more:
            problems.append(
                f"{name} grew from {first:.1f} to {last:.1f}; the bound is {times:g} times and {more:g} more"
            )
    return problems


def _family(pid: int) -> list[Path]:
    process = Path(f"/proc/{pid}")
    children = (process / "task" / str(pid) / "children").read_text().split()
    return [process, *(each for child in children for each in _family(int(child)))]


def _status(process: Path) -> dict[str, int]:
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    return {name: int(value.split()[0]) for name, _, value in lines if name in {"VmRSS", "Threads"}}


def _temporary(cluster: Cluster) -> int:
    """Files of the servers in their own folders, and in that for temporary files."""
    folders = (cluster.temporary, *(replica.home.data for replica in cluster.replicas))
    return sum(1 for folder in folders for _ in folder.rglob("*"))
