"""Figures of presentation attack detection in words, the same in the terminal and on the page."""

from typing import Final

from evaluation.binomial import Proportion
from evaluation.pad.evaluation import VerdictCounts
from evaluation.pad.points import NotSupported
from evaluation.pad.resampling import Interval

__all__ = [
    "LIMITS",
    "VENDOR",
    "area",
    "not_supported",
    "percent",
    "points",
    "share",
    "span",
    "verdicts",
    "whole",
]

VENDOR: Final = (
    "For orientation, figures that a vendor prints for its passive video liveness, on data that nobody else "
    "has: accuracy 98.2 %, AUC 0.9988, FAR 0.36 %, FRR 4.97 %, ACER 1.76 %. They are not comparable with "
    "these."
)
LIMITS: Final = (
    "Counts of files are not counts of persons: Clopper-Pearson bounds take each file as independent and are "
    "too narrow; the intervals over persons and sources are the ones to go by."
)


def percent(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.1f} %"


def share(found: Proportion | None) -> str:
    """A share in percent, without its sign, with its Clopper-Pearson interval."""
    if found is None:
        return "-"
    return f"{100 * found.rate:.1f} [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def whole(found: Proportion | None) -> str:
    """A share in whole percent, without its sign."""
    return "-" if found is None else f"{100 * found.rate:.0f}"


def area(value: float | None) -> str:
    """An area under a curve."""
    return "-" if value is None else f"{value:.3f}"


def span(interval: Interval | None, *, digits: int = 1, scale: float = 100.0, signed: bool = False) -> str:
    """An interval, in percent as it comes."""
    if interval is None:
        return "-"
    sign = "+" if signed else ""
    return " to ".join(f"{scale * end:{sign}.{digits}f}" for end in (interval.lower, interval.upper))


def points(value: float) -> str:
    """A difference of rates in percentage points."""
    return f"{100 * value:+.1f}"


def not_supported(found: NotSupported) -> str:
    """What is said in place of a rate that the counts do not support."""
    if not found.attacks:
        return f"{found.basis}: no attack got a response"
    return (
        f"{found.basis} at {found.target:.0%}: {found.attacks} attacks allow no APCER below "
        f"{min(1.0, 3 / found.attacks):.1%}, {found.needed} are needed"
    )


def verdicts(found: VerdictCounts | None) -> tuple[str, str, str, str]:
    """What was decided: LIVE, SPOOF, INCONCLUSIVE, and no verdict."""
    if found is None:
        return ("-", "-", "-", "-")
    return (f"{found.live}", f"{found.spoof}", f"{found.inconclusive}", f"{found.no_response}")
