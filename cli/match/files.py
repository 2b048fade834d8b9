"""The folder of a report: the page, the figures for machines, and the charts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cli.match.page import render_page
from cli.report import check_writable, write_files
from evaluation.match.charts import check_charts, det_chart, histogram_chart
from evaluation.match.report import MatchReport

__all__ = ["check_folder", "draw_charts", "write_report"]

_PAGE: Final = "report.html"
_JSON: Final = "report.json"


def check_folder(out: Path) -> None:
    """Make sure, before any long work, that a report can be written.

    Raises:
        OutputUnusable: It cannot be.
        ChartsUnavailable: The extra that draws charts is not installed.
    """
    check_charts()
    check_writable(out)


def draw_charts(report: MatchReport) -> Mapping[str, bytes]:
    """The charts of every set as PNG files, by file name without ending.

    Raises:
        ChartsUnavailable: The extra that draws charts is not installed.
    """
    charts = {}
    for name in report.set_names():
        series = report.of_set(name)
        suffix = "" if name == report.set_names()[0] else f"_{name}"
        charts[f"det{suffix}"] = det_chart(series, title="FNMR over FMR")
        charts[f"scores{suffix}"] = histogram_chart(series, title="Scores and thresholds")
    return charts


def write_report(out: Path, report: MatchReport) -> Path:
    """Write everything of a report.

    Args:
        out: A folder; made if it is not there.
        report: What was measured.

    Returns:
        The page.

    Raises:
        ChartsUnavailable: The extra that draws charts is not installed.
        OSError: A file cannot be written.
    """
    charts = draw_charts(report)
    page: dict[str, bytes | str] = {_JSON: report.to_json() + "\n", _PAGE: render_page(report, charts)}
    write_files(out, page | {f"{name}.png": content for name, content in charts.items()})
    return out / _PAGE
