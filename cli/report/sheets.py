"""Tables of a report as text, the same for the terminal and for a page."""

from dataclasses import dataclass
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["Sheet", "sheet_table"]

_NAME: Final = 12
"""Width of the names on a narrow terminal, in characters."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table.

    Attributes:
        title: Its title.
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
