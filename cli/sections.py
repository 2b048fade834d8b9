"""Names and values below a title, as a table for the terminal."""

from dataclasses import dataclass
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from cli.shown import shown

__all__ = ["Section", "section_table"]

_NAME: Final = 34
"""Columns that names get, so that the tables of a command are in line."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of what is looked into.

    Attributes:
        title: What it is about.
        rows: Name and value, each.
    """

    title: str
    rows: tuple[tuple[str, str], ...]


def section_table(section: Section) -> Table:
    """A table; what a file says cannot steer the terminal."""
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
        table.add_row(Text(name), Text(shown(value)))
    return table
