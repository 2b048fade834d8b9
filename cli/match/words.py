"""Figures of "same person?" in words, the same in the terminal and on the page."""

from typing import Final

from evaluation.match.evaluation import APART, MAIN, Difference, SetResult
from evaluation.match.fnmr_bounds import FnmrCurve
from evaluation.match.operating_points import FmrAt, NotSupported, RateInterval

__all__ = [
    "PROVENANCES",
    "SET_TITLES",
    "change",
    "interval",
    "limits",
    "not_supported",
    "percent",
    "promise",
    "rate",
]

SET_TITLES: Final = {MAIN: "", APART: ", photos measured apart"}
PROVENANCES: Final = {
    "measured": "measured by the makers of Facegate",
    "assumed": "assumed from other embedders",
    "measured_by_operator": "measured by the operator",
    "published": "published figures",
}


def rate(value: float) -> str:
    """A false match rate: ``1.2e-3``, or ``0``."""
    return "0" if value == 0.0 else f"{value:.1e}".replace("e-0", "e-")


def percent(value: float) -> str:
    """A share, as percent with as many decimals as are worth reading."""
    return f"{100 * value:.2f} %" if 0.0 < value < 0.01 else f"{100 * value:.1f} %"


def interval(found: RateInterval | None) -> str:
    """A false non-match rate with its interval, in percent."""
    if found is None:
        return "no pairs"
    share = percent(found.rate).removesuffix(" %")
    return f"{share} [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def change(difference: Difference) -> str:
    """A difference of false non-match rates with its interval, in percentage points."""
    return f"{100 * difference.change:+.1f} [{100 * difference.lower:+.1f}, {100 * difference.upper:+.1f}]"


def promise(target: float, found: FmrAt) -> str:
    """Whether a threshold that promises a false match rate keeps it on these data."""
    if found.fmr > target:
        return "broken"
    return "kept" if found.upper_bound <= target else "not shown"


def not_supported(target: float, needed: int) -> str:
    """What is said in place of a rate that the data do not support."""
    return (
        f"{target:g}: not supported by these data (needs about {needed} persons, all compared with all: "
        f"{needed * (needed - 1) // 2:,} pairs of persons)"
    )


def limits(pack: str, result: SetResult) -> str:
    """What a pack's rates in one set rest on, and what they do not support."""
    fmr, fnmr = result.fmr, result.fnmr
    text = (
        f"{pack}: {_genuine(fnmr)}, {fmr.comparisons:,} impostor comparisons of {fmr.person_pairs:,} pairs "
        f"of {fmr.persons} persons."
    )
    missing = next((point for point in result.points if isinstance(point, NotSupported)), None)
    return text if missing is None else f"{text} FMR {not_supported(missing.target, missing.persons_needed)}."


def _genuine(fnmr: FnmrCurve | None) -> str:
    if fnmr is None:
        return "no genuine comparison"
    return f"{fnmr.comparisons:,} genuine comparisons of {fnmr.persons} persons"
