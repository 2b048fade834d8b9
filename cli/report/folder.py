"""Writes the folder of a report."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cli.errors import OutputUnusable
from cli.report.document import Chart, ReportDocument
from cli.report.markdown import render_markdown
from cli.report.page import render_page

__all__ = ["require_writable", "write_report"]

_PAGE: Final = "report.html"
_MARKDOWN: Final = "report.md"
_JSON: Final = "report.json"


def require_writable(out: Path) -> None:
    """Verify, before any long work, that a folder can be written to.

    Raises:
        OutputUnusable: The folder cannot be written to.
    """
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise OutputUnusable(f"the folder {out} cannot be created: {there} is a file")
    if not os.access(there, os.W_OK):
        raise OutputUnusable(f"the folder {out} cannot be written to: check the permissions of {there}")


def write_report(
    out: Path,
    document: ReportDocument,
    *,
    charts: Sequence[Chart],
    json: str,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """Write the files of a report: the page, its tables as Markdown, the figures as JSON, the charts.

    Args:
        out: The folder; it is created if needed.
        document: The content of the report.
        charts: Its charts.
        json: The figures for programs.
        more: Further files, by name.

    Returns:
        The page.

    Raises:
        OSError: A file cannot be written.
    """
    texts = {
        _JSON: json + "\n",
        _MARKDOWN: render_markdown(document),
        _PAGE: render_page(document, charts),
    }
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    files |= {f"{chart.name}.png": chart.png for chart in charts} | dict(more or {})
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return out / _PAGE
