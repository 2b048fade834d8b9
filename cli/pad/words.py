"""Figures of presentation attack detection as text, the same for the terminal and the page."""

from typing import Final

from evaluation import Proportion
from evaluation.pad import Interval, NotSupported, VerdictCounts

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
    "For orientation, published figures of a vendor for its passive video liveness, on unpublished data: "
    "accuracy 98.2 %, AUC 0.9988, FAR 0.36 %, FRR 4.97 %, ACER 1.76 %. They are not comparable with "
    "these."
)
LIMITS: Final = (
    "Counts of files are not counts of persons: Clopper-Pearson bounds assume independent files and are too "
    "narrow. Use the intervals over persons and sources."
)


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.1f} %"


def share(found: Proportion | None) -> str:
    """Return a share in percent, without the percent sign, with its Clopper-Pearson interval."""
    if found is None:
        return "-"
    return f"{100 * found.rate:.1f} [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def whole(found: Proportion | None) -> str:
    """Return a share in whole percent, without the percent sign."""
    return "-" if found is None else f"{100 * found.rate:.0f}"


def area(value: float | None) -> str:
    """Return an area under a curve."""
    return "-" if value is None else f"{value:.3f}"


def span(interval: Interval | None, *, digits: int = 1, scale: float = 100.0, signed: bool = False) -> str:
    """Return an interval, in percent by default."""
    if interval is None:
        return "-"
    sign = "+" if signed else ""
    return " to ".join(f"{scale * end:{sign}.{digits}f}" for end in (interval.lower, interval.upper))


def points(value: float) -> str:
    """Return a difference of rates in percentage points."""
    return f"{100 * value:+.1f}"


def not_supported(found: NotSupported) -> str:
    """Return the text in place of a rate that the counts do not support."""
    if not found.attacks:
        return f"{found.basis}: no attack got a response"
    return (
        f"{found.basis} at {found.target:.0%}: {found.attacks} attacks allow no APCER below "
        f"{min(1.0, 3 / found.attacks):.1%}, {found.needed} are needed"
    )


def verdicts(found: VerdictCounts | None) -> tuple[str, str, str, str]:
    """Return the counts of LIVE, SPOOF, INCONCLUSIVE, and no verdict."""
    if found is None:
        return ("-", "-", "-", "-")
    return (f"{found.live}", f"{found.spoof}", f"{found.inconclusive}", f"{found.no_response}")
