"""ISO/IEC 30107-3 measurements of presentation attack detection over labelled images and clips."""

from evaluation.pad.dataset import (
    NothingToMeasure,
    PadEvaluationError,
    PadSample,
    SampleKind,
    only_listed,
    read_dataset,
    without_unusable,
)
from evaluation.pad.measuring import MeasurementPlan, measure_packs
from evaluation.pad.reporting import describe, draw_charts, draw_mistakes
from evaluation.pad.resampling import Bootstrap
from evaluation.pad.runs import ScorerKind

__all__ = [
    "Bootstrap",
    "MeasurementPlan",
    "NothingToMeasure",
    "PadEvaluationError",
    "PadSample",
    "SampleKind",
    "ScorerKind",
    "describe",
    "draw_charts",
    "draw_mistakes",
    "measure_packs",
    "only_listed",
    "read_dataset",
    "without_unusable",
]
