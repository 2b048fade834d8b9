"""The tables of photo against photo, for the terminal."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from rich.table import Table

from matcher import threshold_cosine
from research.photo_match.calibration import ScoredSet
from research.photo_match.left_out import RATES, LeftOut
from research.photo_match.rates import (
    BoundedRate,
    GroupRates,
    fmr_at,
    fnmr_of,
    group_rates,
    threshold_for,
    within_sources,
)
from research.photo_match.scores import PairScores
from vision.packs import MatchCalibration

__all__ = ["groups_table", "left_out_table", "measured_table", "shipped_table"]

_GROUP_TARGETS: Final = (1e-3, 1e-4)
_NO_DATA: Final = "not supported by data"


def measured_table(scored: ScoredSet, *, with_duplicates: PairScores, title: str) -> Table:
    """Return FNMR at measured FMR, with and without suspected duplicates."""
    _, genuine, impostor = scored
    table = Table("FMR", "threshold", "FNMR", "threshold with duplicates", "FNMR", title=title)
    for rate in RATES:
        plain, dirty = threshold_for(rate, impostor), threshold_for(rate, with_duplicates)
        row = [f"{rate:g}", f"{plain:.3f}", f"{fnmr_of(genuine, plain):.2%}"]
        table.add_row(*row, f"{dirty:.3f}", f"{fnmr_of(genuine, dirty):.2%}")
    return table


def shipped_table(
    scored: ScoredSet, *, with_duplicates: PairScores, known: MatchCalibration, resamples: int
) -> Table:
    """Return what each policy's threshold does: FMR with its bound, the worst group, and FNMR."""
    templates, genuine, impostor = scored
    table = Table("bound on FMR", "threshold", "FMR of comparisons", "with duplicates")
    for name in ("FMR of pairs of people (bound)", "photos of one source", "worst group", "FNMR"):
        table.add_column(name)
    table.title = "Shipped thresholds"
    targets = [rate for rate in RATES if known.lowest_bound <= rate]
    thresholds = np.array([threshold_cosine(rate, calibration=known) for rate in targets])
    over_all = fmr_at(templates, impostor, thresholds=thresholds, resamples=resamples)
    inside = within_sources(templates, impostor)
    labels = set(templates.groups) - {""}
    groups = [
        group
        for group in group_rates(templates, impostor, thresholds=thresholds, resamples=resamples)
        if group.name in labels
    ]
    for place, (target, at, found) in enumerate(zip(targets, thresholds, over_all, strict=True)):
        worst = _worst(groups, place)
        table.add_row(
            f"{target:g}",
            f"{at:.3f}",
            f"{(impostor.scores >= at).mean():.1e}",
            f"{(with_duplicates.scores >= at).mean():.1e}",
            f"{found.rate:.1e} ({found.bound:.1e})",
            f"{(impostor.scores[inside] >= at).mean():.1e}",
            f"{worst.name}: {_cell(worst.rates[place])}",
            f"{fnmr_of(genuine, at):.2%}",
        )
    return table


def groups_table(scored: ScoredSet, *, known: MatchCalibration | None, resamples: int) -> Table:
    """Return FMR within groups, at thresholds for a measured FMR over all and at the shipped ones."""
    templates, _, impostor = scored
    thresholds = {f"FMR {rate:g} over all": threshold_for(rate, impostor) for rate in _GROUP_TARGETS}
    if known is not None:
        thresholds |= {
            f"shipped {rate:g}": threshold_cosine(rate, calibration=known)
            for rate in RATES
            if known.lowest_bound <= rate
        }
    table = Table("group", "people", "pairs", "lowest bound", title="FMR within groups (bound over people)")
    for name in thresholds:
        table.add_column(name)
    found: Sequence[GroupRates] = group_rates(
        templates, impostor, thresholds=np.array(list(thresholds.values())), resamples=resamples
    )
    for group in found:
        cells = [_cell(rate) for rate in group.rates]
        lowest = f"{group.rates[0].lowest_bound:.1e}"
        table.add_row(group.name, str(group.persons), str(group.pairs), lowest, *cells)
    return table


def left_out_table(rows: Iterable[LeftOut], *, title: str) -> Table:
    """Return the rates on people left out."""
    table = Table("threshold for", "FMR", "FNMR [95 %]", "FMR left out (bound)", "people", "comparisons")
    table.title = title
    for row in rows:
        table.add_row(
            row.basis,
            f"{row.target:g}",
            f"{row.fnmr:.2%} [{row.low:.1%}, {row.high:.1%}]",
            _cell(row.fmr),
            f"{row.people[0]}; genuine {row.people[1]}",
            f"{row.comparisons[0]} genuine, {row.comparisons[1]} impostor",
        )
    return table


def _worst(groups: Sequence[GroupRates], place: int) -> GroupRates:
    """Return the group with the highest rate at one of the thresholds."""
    return max(groups, key=lambda group: group.rates[place].rate)


def _cell(found: BoundedRate) -> str:
    return f"{found.rate:.1e} ({found.bound:.1e})" if found.supported else _NO_DATA
