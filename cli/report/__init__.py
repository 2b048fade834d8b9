"""The reports of the evaluations.

A command describes its report as a ``ReportDocument``. This package prints it to the terminal and writes
its folder: a page, Markdown, JSON, charts.
"""

from cli.report.document import Chart, ReportDocument
from cli.report.folder import require_writable, write_report
from cli.report.markdown import render_markdown
from cli.report.page import render_page
from cli.report.sheets import Sheet, sheet_table
from cli.report.terminal import print_report, report_view

__all__ = [
    "Chart",
    "ReportDocument",
    "Sheet",
    "print_report",
    "render_markdown",
    "render_page",
    "report_view",
    "require_writable",
    "sheet_table",
    "write_report",
]
