"""Renders a report as one self-contained HTML file."""

from collections.abc import Sequence
from typing import Final

from cli.report.document import Chart, ReportDocument
from cli.report.sheets import Sheet
from server.pages import Html, cell, data_uri, facts, figure, head, image, joined, page, stylesheet, table

__all__ = ["render_page"]

_LEAD: Final = Html('<p class="lead">{}</p>')
_SHEET: Final = Html('<section aria-label="{}">\n<h2>{}</h2>\n{}\n{}\n</section>')
_NOTE: Final = Html('<p class="note">{}</p>')
_SECTION: Final = Html('<section aria-labelledby="{}">\n<h2 id="{}">{}</h2>\n{}\n</section>')
_AGAIN: Final = Html("To repeat the measurement: <code>{}</code>")


def render_page(document: ReportDocument, charts: Sequence[Chart]) -> str:
    """Return the page as HTML.

    Args:
        document: The content of the report.
        charts: Its charts.
    """
    machine = document.machine
    about = {
        **document.facts,
        "Made": document.made.strftime("%Y-%m-%d %H:%M %Z"),
        "Facegate": document.version,
        "Machine": f"{machine.cpu}, {machine.cores} cores",
    }
    sections = [_sheet(sheet) for sheet in document.sheets]
    if charts:
        sections.append(_section("charts", "Charts", joined(map(_chart, charts))))
    sections.append(_section("method", "How this was measured", document.method))
    return page(
        brand="evaluation",
        title=f"{document.title} {' and '.join(document.packs)}",
        heading=document.title,
        below=joined((_LEAD.format(document.lead), facts(about.items()))),
        main=joined(sections),
        footer=_AGAIN.format(document.command),
        style=stylesheet("cli.report", "page"),
    )


def _sheet(sheet: Sheet) -> Html:
    rows = [Html("<tr>{}</tr>").format(Html("").join(map(cell, row))) for row in sheet.rows]
    # A sheet without rows has notes with the reason.
    drawn = table(map(head, sheet.columns), rows, label=sheet.title, kind="sheet") if rows else Html("")
    return _SHEET.format(sheet.title, sheet.title, drawn, joined(map(_NOTE.format, sheet.notes)))


def _chart(chart: Chart) -> Html:
    uri = data_uri(chart.png, media_type="image/png")
    return figure(image(uri, alt=chart.caption), caption=chart.caption)


def _section(key: str, title: str, content: Html) -> Html:
    return _SECTION.format(key, key, title, content)
