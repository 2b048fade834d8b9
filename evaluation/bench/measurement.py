"""One figure, measured over several runs."""

import statistics
from dataclasses import dataclass
from typing import Any

from evaluation.bench.errors import NothingMeasured

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure with a value for each run.

    Attributes:
        pack: The pack.
        name: Name of the figure, in a few words.
        load: The load, such as ``4 scans at once``.
        unit: Unit of the values, such as ``model frames`` or ``ms``; empty for a ratio.
        meaning: The method and the meaning of the figure, in words.
        values: One value for each run, at least one.

    Raises:
        NothingMeasured: There are no values.
    """

    pack: str
    name: str
    load: str
    unit: str
    meaning: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise NothingMeasured(f"no run gave a value for {self.name} ({self.load})")

    @property
    def least(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The median (of two middle values, their mean)."""
        return statistics.median(self.values)

    @property
    def most(self) -> float:
        """The largest value."""
        return max(self.values)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "pack": self.pack,
            "name": self.name,
            "load": self.load,
            "unit": self.unit,
            "meaning": self.meaning,
            "min": self.least,
            "median": self.median,
            "max": self.most,
            "values": list(self.values),
        }
