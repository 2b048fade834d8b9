"""Sections of names and values, as tables for the terminal."""

from dataclasses import dataclass
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from cli.shown import printable

__all__ = ["Section", "section_table"]

_NAME: Final = 34
"""Width of the names in characters, which aligns the tables of a command."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    Attributes:
        title: Its title.
        rows: Pairs of name and value.
    """

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
    table.add_column(no_wrap=True, min_width=_NAME)
    table.add_column(overflow="fold")
    for name, value in section.rows:
        table.add_row(Text(name), Text(printable(value)))
    return table
