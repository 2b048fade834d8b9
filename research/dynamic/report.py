"""Writes the report of measured scans: tables as text and JSON, and charts."""

import json
from collections.abc import Sequence
from pathlib import Path

from research.dynamic.charts import all_charts
from research.dynamic.people import read_split
from research.dynamic.rates import Draws
from research.dynamic.rows import Row
from research.dynamic.tables import Table, all_tables, check_table, render
from research.dynamic.targets import PUBLISHED, target_table

__all__ = ["write_report"]


def write_report(rows: Sequence[Row], out: Path, *, resamples: int, seed: int) -> str:
    """Write ``report.txt``, ``report.json`` and the charts into a folder, and return the text.

    Args:
        rows: At least one row.
        out: The folder, which is created if it does not exist.
        resamples: Draws of persons behind each interval.
        seed: Seed of the draws.

    Raises:
        FiguresUnavailable: Charts cannot be drawn.
        OSError: The folder cannot be written to.
    """
    draws = Draws(resamples=resamples, seed=seed)
    first = [row for row in rows if row.attempt == 1]
    checks = check_table(rows, draws)
    tables = (
        *(() if checks is None else (checks,)),
        target_table(first, draws),
        *all_tables(first, split=read_split(), draws=draws),
    )
    head = _head(first, draws)
    text = "\n".join([*head, "", *map(render, tables), PUBLISHED])
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.txt").write_text(text + "\n", encoding="utf-8")
    (out / "report.json").write_text(json.dumps(_as_json(head, tables), indent=1) + "\n", encoding="utf-8")
    for name, content in all_charts(first).items():
        (out / name).write_bytes(content)
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


def _as_json(head: Sequence[str], tables: Sequence[Table]) -> dict[str, object]:
    return {"head": list(head), "tables": [table.as_json() for table in tables], "published": PUBLISHED}
