"""The folder of a report: the page, its tables as Markdown and JSON, the charts, the sheets of mistakes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cli.pad.markdown import render_markdown
from cli.pad.page import render_page
from cli.report import check_writable, write_files
from evaluation.pad.charts import check_charts, det_chart, histogram_chart
from evaluation.pad.mistakes import mistakes_sheet, worst_mistakes
from evaluation.pad.report import PackReport, PadReport, SetReport
from evaluation.pad.runs import ScorerKind, ScoreRun

__all__ = ["check_folder", "draw_charts", "write_report"]

_PAGE: Final = "report.html"
_JSON: Final = "report.json"
_MARKDOWN: Final = "report.md"


def check_folder(out: Path) -> None:
    """Make sure, before any long work, that a report can be written.

    Raises:
        OutputUnusable: It cannot be.
        ChartsUnavailable: The extra that draws charts is not installed.
    """
    check_charts()
    check_writable(out)


def draw_charts(report: PadReport) -> Mapping[str, bytes]:
    """The charts of every pack and set as PNG files, by file name without ending.

    Raises:
        ChartsUnavailable: The extra that draws charts is not installed.
    """
    charts = {}
    for pack in report.packs:
        for each in pack.sets:
            if each.runs:
                suffix, at = _suffix(pack, each), f"{pack.name}, {each.material.name}"
                charts[f"det_{suffix}"] = det_chart(each.results, title=f"BPCER over APCER: {at}")
                charts[f"scores_{suffix}"] = histogram_chart(each.runs, title=f"Scores: {at}")
    return charts


def write_report(out: Path, report: PadReport) -> Path:
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
    files: dict[str, bytes | str] = {f"{name}.png": content for name, content in charts.items()}
    for pack in report.packs:
        for each in pack.sets:
            sheet = mistakes_sheet(worst_mistakes(_judged(each))) if each.runs else None
            if sheet is not None:
                files[f"mistakes_{_suffix(pack, each)}.jpg"] = sheet
    files[_JSON] = report.to_json() + "\n"
    files[_MARKDOWN] = render_markdown(report)
    files[_PAGE] = render_page(report, charts)
    write_files(out, files)
    return out / _PAGE


def _judged(each: SetReport) -> ScoreRun:
    """The fusion where there is one that responded, else the last scorer."""
    found = [run for run in each.runs if run.scorer.kind is ScorerKind.FUSION and run.answered.any()]
    return found[-1] if found else each.runs[-1]


def _suffix(pack: PackReport, each: SetReport) -> str:
    plain = "".join(letter if letter.isalnum() else "-" for letter in pack.name).strip("-")
    return f"{plain}_{each.material.name}"
