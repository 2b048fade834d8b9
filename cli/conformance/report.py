"""The report of a run: a table for the terminal, and JSON."""

import json
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.conformance.conductor import Outcome, Verdict
from cli.shown import printable

__all__ = ["document", "print_report"]

_STYLES: Final = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.NOT_APPLICABLE: "dim"}


def print_report(outcomes: Sequence[Outcome], console: Console) -> None:
    """Prints a table of scenarios, and the numbers of outcomes."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("scenario", "outcome", "tested, or broken rule"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "tested, or broken rule")
    for one in outcomes:
        text = Text(one.scenario.purpose)
        if one.rule is not None:
            text = Text(f"{printable(one.detail)}\n").append(
                f"{one.rule.name}: {one.rule.requirement}", "dim"
            )
        table.add_row(one.scenario.name, Text(one.verdict.value, _STYLES[one.verdict]), text)
    console.print(table)
    counts = {verdict: sum(one.verdict is verdict for one in outcomes) for verdict in Verdict}
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), highlight=False)


def document(outcomes: Sequence[Outcome]) -> str:
    """Returns the report as JSON."""
    rows = [
        {
            "scenario": one.scenario.name,
            "purpose": one.scenario.purpose,
            "outcome": one.verdict.value,
            "rule": None if one.rule is None else one.rule.name,
            "requirement": None if one.rule is None else one.rule.requirement,
            "detail": one.detail,
            "transport": one.transport,
            "streams": one.streams,
            "seconds": round(one.seconds, 2),
        }
        for one in outcomes
    ]
    passed = all(one.verdict is not Verdict.FAILED for one in outcomes)
    return json.dumps({"protocol_version": 1, "conforms": passed, "scenarios": rows}, indent=2) + "\n"
