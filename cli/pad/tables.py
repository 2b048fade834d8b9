"""A report of presentation attack detection as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from cli.pad.rows import sheets
from cli.pad.words import VENDOR
from cli.sheets import sheet_table
from evaluation.pad.report import PadReport

__all__ = ["report_view"]


def report_view(report: PadReport) -> Group:
    """Everything that a person wants to see of an evaluation, then how it was made."""
    machine, bootstrap = report.machine, report.bootstrap
    notes = (
        f"Intervals: two-sided, {bootstrap.confidence:g}, {bootstrap.resamples} samples.",
        VENDOR,
        f"Machine: {machine.cpu}, {machine.cores} cores; {machine.system}, Python {machine.python}.",
        f"Again: {report.command}",
    )
    parts: list[RenderableType] = []
    for sheet in sheets(report):
        parts += [sheet_table(sheet), *(Text(note, "dim") for note in sheet.notes), Text("")]
    return Group(*parts, *(Text(note) for note in notes))
