"""Measures the error rates and the cost of the product's models and decisions over data sets.

Only the laboratory and tests import this package. Start with ``lab.evaluation.match``.

These arguments mean the same everywhere: ``subject`` defines which faces of a picture count as persons,
``bootstrap`` has the settings of the intervals, ``console`` shows the progress, and ``still_decoder`` decodes
JPEG 2000 and WebP.
"""

from lab.evaluation.binomial import Proportion
from lab.evaluation.check_cases import CaseKind, ClipCase, clip_cases, enlarged, portrait_frames, scan_frames
from lab.evaluation.document import Chart, ReportDocument, Sheet, render_markdown
from lab.evaluation.drawing import EvaluationUnavailable, require_evaluation
from lab.evaluation.minifasnet_onnx import converted_network

__all__ = [
    "CaseKind",
    "Chart",
    "ClipCase",
    "EvaluationUnavailable",
    "Proportion",
    "ReportDocument",
    "Sheet",
    "clip_cases",
    "converted_network",
    "enlarged",
    "portrait_frames",
    "render_markdown",
    "require_evaluation",
    "scan_frames",
]
