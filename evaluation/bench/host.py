"""Measures the CPU time that the host of a virtual machine took away: "steal" of proc_stat(5)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

__all__ = ["HostTime"]

_STAT: Final = Path("/proc/stat")
# The line "cpu": user, nice, system, idle, iowait, irq, softirq, steal. The time of guests follows, and is
# part of user and nice.
_FIELDS: Final = 8
_STEAL: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTime:
    """Time of all cores since the start of the system.

    Attributes:
        ticks: All time, in ticks of the system's clock.
        stolen: Time in which this system needed a core that ran something else.
    """

    ticks: int
    stolen: int

    @classmethod
    def now(cls, stat: Path = _STAT) -> Self | None:
        """Reads the time; None if the system does not report it.

        Args:
            stat: The file that reports it.
        """
        try:
            line = stat.read_text(encoding="ascii", errors="replace").partition("\n")[0].split()
            ticks = [int(field) for field in line[1 : 1 + _FIELDS]]
        except (OSError, ValueError):
            return None
        if not line or line[0] != "cpu" or len(ticks) < _FIELDS:
            return None
        return cls(ticks=sum(ticks), stolen=ticks[_STEAL])

    def stolen_since(self, before: "HostTime") -> float:
        """Return the share of the time between two readings that was stolen, 0..1; 0 if no time passed.

        Args:
            before: The earlier reading.
        """
        passed = self.ticks - before.ticks
        return (self.stolen - before.stolen) / passed if passed > 0 else 0.0
