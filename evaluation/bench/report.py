"""All figures of one run of the benchmark, as JSON."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from evaluation.bench.machine import Machine
from evaluation.bench.measurement import Measurement

__all__ = ["BenchReport"]

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """All figures of one run.

    Attributes:
        command: The command that repeats the run.
        made: Time of the run, with a time zone.
        version: Version of the distribution.
        machine: The machine.
        runtimes: The runtime of each pack's models, in one sentence.
        measurements: The figures, in the order in which they are shown.
    """

    command: str
    made: datetime
    version: str
    machine: Machine
    runtimes: dict[str, str]
    measurements: tuple[Measurement, ...]

    def to_json(self) -> str:
        """The report as a JSON document."""
        return json.dumps(
            {
                "schema": _SCHEMA,
                "command": self.command,
                "made": self.made.isoformat(),
                "version": self.version,
                "machine": self.machine.to_json(),
                "runtimes": self.runtimes,
                "measurements": [measurement.to_json() for measurement in self.measurements],
            },
            indent=2,
        )
