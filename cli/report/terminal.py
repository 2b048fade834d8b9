"""Prints a report as tables to the terminal."""

from pathlib import Path

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from cli.report.document import ReportDocument
from cli.report.sheets import sheet_table

__all__ = ["print_report", "report_view"]


def print_report(document: ReportDocument, *, json: str | None, page: Path | None) -> None:
    """Prints a report, and the path of its page.

    Args:
        document: The report.
        json: The figures for programs, printed in place of tables; None for tables.
        page: The written page; None if there is none.
    """
    if json is None:
        Console().print(report_view(document))
    else:
        typer.echo(json)
    if page is not None:
        Console(stderr=True).print(escape(f"The report is {page}."), highlight=False, soft_wrap=True)


def report_view(document: ReportDocument) -> Group:
    """Returns every table of a report, then the method."""
    machine = document.machine
    parts: list[RenderableType] = []
    for sheet in document.sheets:
        parts += [sheet_table(sheet), *(Text(note, "dim") for note in sheet.notes), Text("")]
    notes = (
        *document.notes,
        f"Machine: {machine.cpu}, {machine.cores} cores; {machine.system}, Python {machine.python}.",
        f"To repeat: {document.command}",
    )
    return Group(*parts, *map(Text, notes))
