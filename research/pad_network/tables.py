"""Makes tables of comparisons for the terminal."""

import math

from rich.table import Table

from research.pad_network.breakdown import Comparison, Judgement
from research.pad_network.comparison import Interval

__all__ = ["parts_table", "standings_table"]


def standings_table(comparison: Comparison) -> Table:
    """Make a row per network: AUC, BPCER at APCER 10 %, and the gain of the first network over it."""
    table = Table(
        "network",
        "AUC",
        "BPCER10",
        "AUC gained by the first",
        "BPCER10 saved by the first",
        title=(
            f"{comparison.title}: {comparison.live} bona fide, {comparison.attacks} attack pictures, "
            f"{comparison.persons} persons; 95 % from drawing sources and persons"
        ),
    )
    for standing in comparison.standings:
        table.add_row(
            standing.name,
            _text(standing.area, "{:.3f}"),
            _text(standing.bpcer, "{:.1%}"),
            _text(standing.area_gain, "{:+.3f}"),
            _text(standing.bpcer_gain, "{:+.1%}"),
        )
    return table


def parts_table(judgement: Judgement) -> Table:
    """Make a row per part with the AUC of every network; empty without attacks or bona fide images."""
    names = [standing.name for standing in judgement.parts[0].standings] if judgement.parts else []
    table = Table(
        "part",
        "bona fide, attacks, persons",
        *names,
        title=f"{judgement.title}: AUC by species and by small source; 95 % from drawing sources and persons",
    )
    for part in judgement.parts:
        table.add_row(
            part.title,
            f"{part.live}, {part.attacks}, {part.persons}",
            *(_text(standing.area, "{:.3f}") for standing in part.standings),
        )
    return table


def _text(interval: Interval, form: str) -> str:
    if math.isnan(interval.value):
        return ""
    ends = f"{form.format(interval.low)} to {form.format(interval.high)}"
    return f"{form.format(interval.value)} [{ends}]"
