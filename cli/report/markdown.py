"""Renders a report as Markdown, for use in documents."""

from collections.abc import Iterable, Iterator

from cli.report.document import ReportDocument
from cli.report.sheets import Sheet

__all__ = ["render_markdown"]


def render_markdown(document: ReportDocument) -> str:
    """Return what the report says first, every table, then the method."""
    machine = document.machine
    parts = [f"# {_cell(document.title)}", _cell(document.lead), f"```console\n$ {document.command}\n```"]
    parts += ["\n".join(_table(sheet)) for sheet in document.sheets]
    parts += document.notes
    parts.append(
        f"Made {document.made:%Y-%m-%d} with Facegate {document.version}, on {machine.cpu}, {machine.cores} "
        "cores."
    )
    return "\n\n".join(parts) + "\n"


def _table(sheet: Sheet) -> Iterator[str]:
    yield f"## {_cell(sheet.title)}\n"
    yield _row(sheet.columns)
    yield _row("---" for _ in sheet.columns)
    for row in sheet.rows:
        yield _row(row)
    for note in sheet.notes:
        yield f"\n{_cell(note)}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Escape markup, because names come from files."""
    plain = text.replace("_\n", "_").replace("\n", " ").replace("\\", "\\\\")
    for sign in "|<>*_`[]":
        plain = plain.replace(sign, f"\\{sign}")
    return plain
