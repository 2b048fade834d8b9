"""Makes the report of measured scans."""

from collections.abc import Sequence
from pathlib import Path

from research.dynamic.people import read_split
from research.dynamic.rates import Draws
from research.dynamic.rows import Row
from research.dynamic.tables import all_tables, check_table, render

__all__ = ["write_report"]


def write_report(rows: Sequence[Row], out: Path, *, resamples: int, seed: int) -> str:
    """Write ``report.txt`` into a folder, and return the text.

    Args:
        rows: At least one row.
        out: The folder, which is created if it does not exist.
        resamples: Draws of persons behind each interval.
        seed: Seed of the draws.

    Raises:
        OSError: The folder cannot be written to.
    """
    draws = Draws(resamples=resamples, seed=seed)
    first = [row for row in rows if row.attempt == 1]
    checks = check_table(rows, draws)
    tables = (
        *(() if checks is None else (checks,)),
        *all_tables(first, split=read_split(), draws=draws),
    )
    text = "\n".join([*_head(first, draws), "", *map(render, tables)])
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.txt").write_text(text + "\n", encoding="utf-8")
    return text


def _head(rows: Sequence[Row], draws: Draws) -> list[str]:
    people = len({row.person for row in rows})
    codes = ", ".join(sorted({row.code for row in rows}))
    return [
        "The flash challenge: SIMULATION. No recording of a face under a screen's light was measured.",
        f"{len(rows)} scans of {people} people who were not used to tune the flash; code {codes}. Shares "
        "are of first attempts; outcomes are of the flash alone unless stated otherwise.",
        "With a floor of b bits, a blind guess succeeds once in 2^b attempts; in a check of n attempts, n "
        "times as often.",
        *(f"Conditions: {conditions}." for conditions in sorted({row.conditions for row in rows})),
        f"In brackets: two-sided 95 % from {draws.resamples} draws of people; where no error was seen, up to "
        "3 / people (rule of three). Fewer than ten people give no interval otherwise.",
    ]
