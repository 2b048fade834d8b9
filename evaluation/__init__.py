"""Measures the error rates and the cost of the product's models and decisions over data sets.

Only ``cli``, ``research`` and tests import this package. Start with ``evaluation.match``.
"""

from evaluation.binomial import Proportion
from evaluation.check_cases import CaseKind, ClipCase, clip_cases, enlarged, portrait_frames, scan_frames
from evaluation.figures import FiguresUnavailable, require_figures
from evaluation.minifasnet_onnx import converted_network
from evaluation.reporting import Chart, ReportDocument, Sheet, render_markdown

__all__ = [
    "CaseKind",
    "Chart",
    "ClipCase",
    "FiguresUnavailable",
    "Proportion",
    "ReportDocument",
    "Sheet",
    "clip_cases",
    "converted_network",
    "enlarged",
    "portrait_frames",
    "render_markdown",
    "require_figures",
    "scan_frames",
]
