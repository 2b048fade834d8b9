"""A report as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from cli.report.document import ReportDocument
from cli.report.sheets import sheet_table

__all__ = ["report_view"]


def report_view(document: ReportDocument) -> Group:
    """Every table of a report, then how it was made."""
    machine = document.machine
    parts: list[RenderableType] = []
    for sheet in document.sheets:
        parts += [sheet_table(sheet), *(Text(note, "dim") for note in sheet.notes), Text("")]
    notes = (
        *document.notes,
        f"Machine: {machine.cpu}, {machine.cores} cores; {machine.system}, Python {machine.python}.",
        f"Again: {document.command}",
    )
    return Group(*parts, *map(Text, notes))
