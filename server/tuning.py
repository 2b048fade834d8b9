"""What tests and benchmarks set of a server, and operators do not."""

from dataclasses import dataclass, field

from attempt.placement import CapturePlan
from server.scan.messages import CaptureBudget
from server.scan.transcript import ClockLimits

__all__ = ["Tuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Limits and times that operators need not know.

    Attributes:
        plan: When an attempt has enough.
        budget: Limits of a scan.
        clocks: How far device clocks may run; recorded scans that are sent faster than they were
            captured need slack.
        end_seconds: How long the device may take for what it owes.
        sweep_seconds: Between two looks at deadlines.
    """

    plan: CapturePlan = field(default_factory=CapturePlan)
    budget: CaptureBudget = field(default_factory=CaptureBudget)
    clocks: ClockLimits = field(default_factory=ClockLimits)
    end_seconds: float = 5.0
    sweep_seconds: float = 5.0
