"""Values of a server that tests and benchmarks set, but operators do not."""

from dataclasses import dataclass, field

from attempt import CapturePlan
from server.scan.messages import CaptureBudget
from server.scan.transcript import ClockLimits

__all__ = ["Tuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Limits and times that are not settings.

    Attributes:
        plan: When an attempt has enough frames.
        budget: The limits of a scan.
        clocks: The limits of device clocks; recorded scans that are sent faster than they were captured need
            slack.
        end_seconds: How long the device may take for the messages that it still has to send.
        sweep_seconds: Time between two rounds of background work.
    """

    plan: CapturePlan = field(default_factory=CapturePlan)
    budget: CaptureBudget = field(default_factory=CaptureBudget)
    clocks: ClockLimits = field(default_factory=ClockLimits)
    end_seconds: float = 5.0
    sweep_seconds: float = 5.0
