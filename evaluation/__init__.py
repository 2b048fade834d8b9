"""Measures the error rates and the cost of the product's models and decisions over data sets.

Only ``cli``, ``research`` and tests import this package. Start with ``evaluation.match``.
"""

from evaluation.binomial import Proportion
from evaluation.figures import FiguresUnavailable, require_figures
from evaluation.minifasnet_onnx import converted_network

__all__ = [
    "FiguresUnavailable",
    "Proportion",
    "converted_network",
    "require_figures",
]
