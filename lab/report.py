"""The reports of the evaluations.

A command describes its report as a ``ReportDocument``. This package prints it to the terminal and writes
its folder: a page, Markdown, JSON, charts.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import typer
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.errors import CommandError
from cli.shown import counted, say
from lab.evaluation import Chart, ReportDocument, Sheet, render_markdown
from lab.pages import render
from server.pages import data_uri

_NAME: Final = 12
"""Width of the names on a narrow terminal, in characters."""


def sheet_table(sheet: Sheet) -> Table:
    """Return a table for the terminal."""
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
        # The first cells of a row are left empty if they repeat the row above.
        same = 0
        while same < len(before) - 1 and row[same] == before[same]:
            same += 1
        table.add_row(*("" if number < same else Text(cell) for number, cell in enumerate(row)))
        before = row
    return table


def render_page(document: ReportDocument, charts: Sequence[Chart]) -> str:
    """Return the page as HTML."""
    machine, (template, values) = document.machine, document.method
    about = {
        **document.facts,
        "Made": document.made.strftime("%Y-%m-%d %H:%M %Z"),
        "Facegate": document.version,
        "Machine": f"{machine.cpu}, {counted(machine.cores, 'core')}",
    }
    return render(
        "report.html",
        title=f"{document.title} {' and '.join(document.packs)}",
        document=document,
        method=render(template, **values),
        about=about.items(),
        charts=[(chart, data_uri(chart.png, media_type="image/png")) for chart in charts],
    )


_PAGE: Final = "report.html"
_MARKDOWN: Final = "report.md"
_JSON: Final = "report.json"


def require_writable(out: Path) -> None:
    """Verify, before any long work, that a folder can be written to."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise CommandError(f"the folder {out} cannot be created: {there} is a file")
    if not os.access(there, os.W_OK):
        raise CommandError(f"the folder {out} cannot be written to: check the permissions of {there}")


def write_report(
    out: Path,
    document: ReportDocument,
    *,
    charts: Sequence[Chart],
    json: str,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """Write the files of a report: the page, its tables as Markdown, the figures as JSON, the charts."""
    texts = {
        _JSON: json + "\n",
        _MARKDOWN: render_markdown(document),
        _PAGE: render_page(document, charts),
    }
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    files |= {f"{chart.name}.png": chart.png for chart in charts} | dict(more or {})
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return out / _PAGE


def print_report(document: ReportDocument, *, json: str | None, page: Path | None) -> None:
    """Print a report, and the path of its page."""
    if json is None:
        Console().print(report_view(document))
    else:
        typer.echo(json)
    if page is not None:
        say(f"The report is {page}.", err=True)


def report_view(document: ReportDocument) -> Group:
    """Return every table of a report, then the method."""
    machine = document.machine
    parts: list[RenderableType] = []
    for sheet in document.sheets:
        parts += [sheet_table(sheet), *(Text(note, "dim") for note in sheet.notes), Text("")]
    notes = (
        *document.notes,
        f"Machine: {machine.cpu}, {counted(machine.cores, 'core')}; "
        f"{machine.system}, Python {machine.python}.",
        f"To repeat: {document.command}",
    )
    return Group(*parts, *map(Text, notes))
