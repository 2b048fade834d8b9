"""Escapes unprintable characters for a terminal, and shows sections of names and values as tables."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


def printable(text: str) -> str:
    r"""Return ``text`` with unprintable characters escaped: control characters and those that hide others.

    A file name can contain anything: escape sequences recolour a terminal or rewrite lines above, and marks
    of direction turn ``exe.jpg`` into ``gpj.exe``.
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode("ascii")
        for one in text
    )


def shown_name(path: Path) -> str:
    """Return a path for a terminal or a page; see ``shown``."""
    return printable(str(path))


def counted(number: float, noun: str) -> str:
    """Return a number of things in words, such as ``1 key``, ``2 keys`` and ``1,000 entries``."""
    if number == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number:,} {many}" if isinstance(number, int) else f"{number:g} {many}"


_FILE_WIDTH: Final = 220


def wide_console() -> Console:
    """Return a console for lists, whose cells are not folded in a pipe or a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def say(text: str, *, style: str | None = None, err: bool = False, console: Console | None = None) -> None:
    """Print a text as it is, on a console or on standard output or error."""
    (console or Console(stderr=err)).print(escape(text), style=style, highlight=False, soft_wrap=True)


def list_table(
    *names: str,
    title: str | None = None,
    right: Collection[str] = (),
    whole: Collection[str] = (),
    **style: Any,
) -> Table:
    """Return an empty table with these columns, none of which is cut.

    Args:
        right: The columns that are aligned to the right.
        whole: Those whose cells are not folded.
        style: That of ``rich.table.Table``; by default without lines.
    """
    given: dict[str, Any] = {"box": None, "pad_edge": False} | style
    table = Table(title=None if title is None else Text(title, "bold"), title_justify="left", **given)
    for name in names:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, overflow="fold", justify=justify, no_wrap=name in whole)
    return table


_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def score_bar(share: float, cells: int) -> str:
    """Return a share, 0..1, as a bar of so many cells."""
    eighths = round(share * cells * 8)
    return ("█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")).ljust(cells)


def score_style(share: float) -> str:
    """Return the colour of a score, 0..1."""
    return "green" if share >= _GOOD else "yellow" if share >= _FAIR else "red"


_GOOD, _FAIR = 0.7, 0.5


def counting(text: str = "{task.description}", *, hidden: bool = False) -> Progress:
    """Return a bar on standard error that counts what is done; nothing without a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn(text, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=hidden or not console.is_terminal,
        # Reports go to standard output, which may be a file while standard error is a terminal.
        redirect_stdout=False,
        redirect_stderr=False,
    )


def facts_table(rows: Iterable[tuple[str, str | Text]], **style: Any) -> Table:
    """Return names and values as a table; ``style`` is that of ``rich.table.Table``."""
    table = Table(show_header=False, title_justify="left", **style)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value) if isinstance(value, str) else value)
    return table


_NAME_WIDTH: Final = 34
"""Width of the names in characters, which aligns the tables of a command."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report."""

    title: str
    rows: tuple[tuple[str, str], ...]


def section_table(section: Section) -> Table:
    """Return a section as a table. Control characters in its values are escaped."""
    table = Table(
        title=Text(section.title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
        show_header=False,
        pad_edge=False,
    )
    table.add_column(no_wrap=True, min_width=_NAME_WIDTH)
    table.add_column(overflow="fold")
    for name, value in section.rows:
        table.add_row(Text(name), Text(printable(value)))
    return table
