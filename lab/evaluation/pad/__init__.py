"""ISO/IEC 30107-3 measurements of presentation attack detection over labelled images and clips."""

from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.charts import draw_charts, draw_mistakes
from lab.evaluation.pad.dataset import (
    NothingToMeasure,
    PadEvaluationError,
    PadSample,
    SampleKind,
    only_listed,
    read_dataset,
    without_unusable,
)
from lab.evaluation.pad.measuring import MeasurementPlan, measure_packs
from lab.evaluation.pad.report import describe
from lab.evaluation.pad.runs import ScorerKind

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
