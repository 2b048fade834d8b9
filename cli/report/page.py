"""Renders a report as one self-contained HTML file."""

from collections.abc import Sequence

from cli.report.document import Chart, ReportDocument
from server.pages import data_uri, render

__all__ = ["render_page"]


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
    return render(
        "report.html",
        title=f"{document.title} {' and '.join(document.packs)}",
        document=document,
        about=about.items(),
        charts=[(chart, data_uri(chart.png, media_type="image/png")) for chart in charts],
    )
