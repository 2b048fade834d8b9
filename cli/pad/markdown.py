"""A report of presentation attack detection as Markdown, to be taken into a document."""

from collections.abc import Iterator

from cli.pad.rows import sheets
from cli.pad.words import VENDOR
from cli.sheets import Sheet
from evaluation.pad.report import PadReport

__all__ = ["render_markdown"]


def render_markdown(report: PadReport) -> str:
    """Every table of the report, then how it was made.

    Args:
        report: What was measured.
    """
    bootstrap, machine = report.bootstrap, report.machine
    parts = ["# Presentation attacks", f"```console\n$ {report.command}\n```"]
    parts += ["\n".join(_table(sheet)) for sheet in sheets(report)]
    parts.append(
        f"Intervals: two-sided, {bootstrap.confidence:g}, {bootstrap.resamples} samples. Made "
        f"{report.made:%Y-%m-%d} with Facegate {report.version}, coefficients of the fusion version "
        f"{report.fusion_model}, on {machine.cpu}, {machine.cores} cores."
    )
    parts.append(VENDOR)
    return "\n\n".join(parts) + "\n"


def _table(sheet: Sheet) -> Iterator[str]:
    yield f"## {_cell(sheet.title)}\n"
    yield _row(sheet.columns)
    yield _row("---" for _ in sheet.columns)
    for row in sheet.rows:
        yield _row(row)
    for note in sheet.notes:
        yield f"\n{_cell(note)}"


def _row(cells: Iterator[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Names come from files: nothing in them may become markup."""
    plain = text.replace("_\n", "_").replace("\n", " ").replace("\\", "\\\\")
    for sign in "|<>*_`[]":
        plain = plain.replace(sign, f"\\{sign}")
    return plain
