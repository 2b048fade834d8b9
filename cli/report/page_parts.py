"""Facts, tables and charts of a report's page, and their style."""

from typing import Final

from cli.markup import Html, Templates, data_uri
from cli.sheets import Sheet

__all__ = ["chart_markup", "fact_markup", "page_style", "sheet_markup"]

_TEMPLATES: Final = Templates("cli.report")


def page_style() -> Html:
    """The style sheet of a report's page."""
    return _TEMPLATES.style("page")


def fact_markup(name: str, text: str) -> Html:
    """A line of the list above the tables."""
    return _TEMPLATES.fill("fact", name=name, text=text)


def sheet_markup(sheet: Sheet) -> Html:
    """A table with its title and notes."""
    return _TEMPLATES.fill(
        "sheet",
        title=sheet.title,
        heads=[_TEMPLATES.fill("head", text=column) for column in sheet.columns],
        rows=[
            _TEMPLATES.fill("row", cells=[_TEMPLATES.fill("cell", text=cell) for cell in row])
            for row in sheet.rows
        ],
        notes=[_TEMPLATES.fill("note", text=note) for note in sheet.notes],
    )


def chart_markup(png: bytes, *, caption: str) -> Html:
    """A chart with its caption.

    Args:
        png: A PNG file; it becomes part of the page.
        caption: Below it.
    """
    return _TEMPLATES.fill("chart", source=data_uri(png, media_type="image/png"), text=caption)
