"""A report as tables for the terminal. Text from the evidence is escaped, because it is not trusted."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.attest.report import Report, moment
from cli.sections import section_table
from cli.shown import printable
from device_integrity import DeviceCheck, DeviceFinding

__all__ = ["report_view"]

_STYLES: Final = {
    DeviceFinding.PASS: "green",
    DeviceFinding.FAIL: "bold red",
    DeviceFinding.NOT_EVALUATED: "dim",
    DeviceFinding.UNAVAILABLE: "yellow",
}


def report_view(report: Report, *, file: Path, at: datetime) -> RenderableType:
    """Returns the whole report.

    Args:
        report: The report.
        file: File with the evidence.
        at: Time of the judgement.
    """
    head = Text.assemble((str(file), "bold"), f"  {report.kind}, judged as of {moment(at)}")
    if not report.checks:
        return Group(
            head,
            *map(section_table, report.sections),
            Text("There are no tests: this evidence carries no proof."),
        )
    counts = Counter(check.outcome for check in report.checks)
    total = ", ".join(f"{counts[one]} {_word(one)}" for one in DeviceFinding if counts[one])
    return Group(
        head, *map(section_table, report.sections), _checks(report.checks), Text(f"Checks: {total}.")
    )


def _checks(checks: tuple[DeviceCheck, ...]) -> RenderableType:
    table = Table(title="Checks", title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)
    for name in ("check", "outcome", "why"):
        table.add_column(name, overflow="fold", no_wrap=name != "why")
    for check in checks:
        why = f"{check.detail} ({check.reason})"
        if check.sign_of is not None:
            why += f"; a sign of {_word(check.sign_of)}"
        if check.soft:
            why += "; does not decide alone"
        table.add_row(
            Text(check.name), Text(_word(check.outcome), _STYLES[check.outcome]), Text(printable(why))
        )
    return table


def _word(one: str) -> str:
    return one.lower().replace("_", " ")
