"""A report of "same person?" as tables for the terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.match.rows import Sheet, sheets
from evaluation.match.report import MatchReport

__all__ = ["report_view"]

_NAME = 12
"""Columns that names get where a terminal is narrow."""


def report_view(report: MatchReport) -> Group:
    """Everything that a person wants to see of an evaluation, then how it was made."""
    machine, bootstrap, photos = report.machine, report.bootstrap, report.photos
    left_out = ", ".join(f"{count} {why}" for why, count in photos.left_out.items())
    notes = [
        f"{photos.photos} photos of {photos.identities} persons{'; left out: ' * bool(left_out)}{left_out}.",
        f"Bounds on FMR are one-sided, intervals of FNMR two-sided, {bootstrap.confidence:g}, from "
        f"{bootstrap.resamples} draws of persons and Clopper-Pearson over effective comparisons, whichever "
        "is wider.",
        f"Machine: {machine.cpu}, {machine.cores} cores; {machine.system}, Python {machine.python}.",
        f"Again: {report.command}",
    ]
    if photos.guessed:
        notes.insert(1, "Who is who was worked out from the pairs: a manifest.csv beside them would say it.")
    parts: list[RenderableType] = []
    for sheet in sheets(report):
        parts += [_table(sheet), *(Text(note, "dim") for note in sheet.notes), Text("")]
    return Group(*parts, *(Text(note) for note in notes))


def _table(sheet: Sheet) -> Table:
    table = Table(title=Text(sheet.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(sheet.columns):
        words = number == 0 or number in sheet.words
        table.add_column(
            column,
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=not words,
            min_width=_NAME if number == 0 else None,
        )
    before: tuple[str, ...] = ()
    for row in sheet.rows:
        # The first cells of a row that repeat the row above are left empty.
        same = 0
        while same < len(before) - 1 and row[same] == before[same]:
            same += 1
        table.add_row(*("" if number < same else Text(cell) for number, cell in enumerate(row)))
        before = row
    return table
