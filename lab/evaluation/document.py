"""An evaluation report in words and tables, the same for the terminal, Markdown and a page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from lab.evaluation.bench import Machine


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table.

    Attributes:
        columns: Heads of the columns; the first column has words, the others have figures.
        rows: Rows with a cell for each column.
        notes: Notes below the table.
        words: Numbers of further columns with words, which may wrap.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    words: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing of the report.

    Attributes:
        name: Name of its file, without suffix.
        caption: Its content and how to read it.
    """

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """A report in words and tables.

    Attributes:
        title: Subject of the measurement, in a few words.
        lead: The question that the figures answer, in a sentence.
        facts: Properties of the data, by name, for the page.
        sheets: The tables, most important first.
        notes: The method, in sentences, for the terminal and Markdown.
        method: The method in detail, for the page: a template and its values.
        command: The command that repeats the measurement, without folders.
        made: Time of creation, with a time zone.
    """

    title: str
    packs: tuple[str, ...]
    lead: str
    facts: Mapping[str, str]
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]
    method: tuple[str, Mapping[str, str]]
    command: str
    made: datetime
    version: str
    machine: Machine


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
