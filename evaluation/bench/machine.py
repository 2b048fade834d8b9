"""Describes the machine on which a figure was measured."""

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["Machine", "describe_machine"]

_CPU_INFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine.

    Attributes:
        cpu: Model of its CPU, as named by the system.
        cores: Logical cores that this process may use.
        system: Operating system and version.
        python: Version of Python.
        load: Runnable processes, mean of the last minute, before the measurement; None if the system does not
            report it. If it is not small, the measurement includes other load.
    """

    cpu: str
    cores: int
    system: str
    python: str
    load: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def describe_machine() -> Machine:
    """Describe the machine of this process."""
    return Machine(
        cpu=_cpu(),
        cores=_cores(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        load=_load(),
    )


def _cpu() -> str:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or "unknown"


def _cores() -> int:
    # macOS and Windows do not report the affinity.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
