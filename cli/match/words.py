"""Figures of matching as text, the same for the terminal and the page."""

from typing import Final

from evaluation.match import (
    MAIN_SET,
    SEPARATE_SET,
    Difference,
    FnmrCurve,
    GroupResult,
    NotSupported,
    PackReport,
    RateInterval,
    SetResult,
)

__all__ = [
    "PROVENANCES",
    "SET_TITLES",
    "broken_text",
    "change",
    "group_name",
    "interval",
    "limits",
    "not_supported",
    "percent",
    "rate",
]

SET_TITLES: Final = {MAIN_SET: "", SEPARATE_SET: ", photos measured separately"}
PROVENANCES: Final = {
    "measured": "measured by the makers of Facegate",
    "assumed": "assumed from other embedders",
    "measured_by_operator": "measured by the operator",
    "published": "published figures",
}


def rate(value: float) -> str:
    """Return a false match rate: ``1.2e-3``, or ``0``."""
    return "0" if value == 0.0 else f"{value:.1e}".replace("e-0", "e-")


def percent(value: float) -> str:
    """Return a share in percent, with one decimal, or two below 1 %."""
    return f"{100 * value:.2f} %" if 0.0 < value < 0.01 else f"{100 * value:.1f} %"


def interval(found: RateInterval | None) -> str:
    """Return a false non-match rate with its interval, in percent."""
    if found is None:
        return "no pairs"
    share = percent(found.rate).removesuffix(" %")
    return f"{share} [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def change(difference: Difference) -> str:
    """Return a difference of false non-match rates with its interval, in percentage points."""
    return f"{100 * difference.change:+.1f} [{100 * difference.lower:+.1f}, {100 * difference.upper:+.1f}]"


def group_name(group: GroupResult) -> str:
    """Return a group's value, or that the groups are pooled."""
    return "all, pooled" if group.pooled else group.value or "(empty)"


def broken_text(pack: PackReport, column: str | None = None) -> str:
    """Return where the promises of a pack's calibration are broken in groups.

    Args:
        pack: The pack.
        column: The column of the groups; ``None`` for all columns.
    """
    places: dict[str, list[str]] = {}
    for group, found in pack.broken:
        if column in {None, group.column}:
            where = f"{group.column} {group_name(group)}"
            places.setdefault(where, []).append(f"{found.target:g}: {rate(found.rates.fmr)}")
    if not places:
        return "No promise is broken beyond chance."
    named = (f"{where} (max_fmr {', '.join(rates)})" for where, rates in places.items())
    return f"Broken: {'; '.join(named)}."


def not_supported(target: float, needed: int) -> str:
    """Return the text in place of a rate that the data do not support."""
    return (
        f"{target:g}: not supported by these data (needs about {needed} persons, all compared with all: "
        f"{needed * (needed - 1) // 2:,} pairs of persons)"
    )


def limits(pack: str, result: SetResult) -> str:
    """Return the numbers of comparisons behind a pack's rates in one set, and the unsupported FMR."""
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
