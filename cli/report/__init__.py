"""What the reports of the evaluations share: their folder, and the parts of their pages."""

from cli.report.folder import check_writable, write_files
from cli.report.page_parts import chart_markup, fact_markup, page_style, sheet_markup

__all__ = ["chart_markup", "check_writable", "fact_markup", "page_style", "sheet_markup", "write_files"]
