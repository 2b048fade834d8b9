"""A report of "same person?" as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from cli.match.rows import sheets
from cli.sheets import sheet_table
from evaluation.match.report import MatchReport

__all__ = ["report_view"]


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
        parts += [sheet_table(sheet), *(Text(note, "dim") for note in sheet.notes), Text("")]
    return Group(*parts, *(Text(note) for note in notes))
