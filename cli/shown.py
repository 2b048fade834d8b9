"""Escapes unprintable characters for a terminal, and shows sections of names and values as tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text


def printable(text: str) -> str:
    r"""Returns ``text`` with unprintable characters escaped: control characters and those that hide others.

    A file name can contain anything: escape sequences recolour a terminal or rewrite lines above, and marks
    of direction turn ``exe.jpg`` into ``gpj.exe``.
    """
    return "".join(character if character.isprintable() else _written(character) for character in text)


def shown_name(path: Path) -> str:
    """Returns a path for a terminal or a page; see ``shown``."""
    return printable(str(path))


def _written(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def counted(number: float, noun: str) -> str:
    """Returns a number of things in words, such as ``1 key``, ``2 keys`` and ``1,000 entries``."""
    if number == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number:,} {many}" if isinstance(number, int) else f"{number:g} {many}"


_NAME_WIDTH: Final = 34
"""Width of the names in characters, which aligns the tables of a command."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report."""

    title: str
    rows: tuple[tuple[str, str], ...]


def section_table(section: Section) -> Table:
    """Returns a section as a table. Control characters in its values are escaped."""
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
