"""ISO/IEC 30107-3 measurements of presentation attack detection over labelled images and clips."""

from evaluation.pad.conclusion import Difference, conclude
from evaluation.pad.dataset import (
    NothingToMeasure,
    PadEvaluationError,
    PadSample,
    SampleKind,
    only_listed,
    read_dataset,
    without_unusable,
)
from evaluation.pad.evaluation import EVERY_SPECIES, POOLED, ScorerResult, VerdictCounts, evaluate_run
from evaluation.pad.measuring import MeasurementPlan, measure_packs
from evaluation.pad.mistakes import mistakes_sheet, worst_mistakes
from evaluation.pad.points import FixedApcer, NotSupported, SourceRates
from evaluation.pad.report import (
    Material,
    PackReport,
    PadReport,
    SetReport,
    describe_material,
    det_chart,
    histogram_chart,
)
from evaluation.pad.reporting import describe, draw_charts, draw_mistakes
from evaluation.pad.resampling import Bootstrap, Interval, draw
from evaluation.pad.runs import ScorerKind, ScoreRun
from evaluation.pad.scoring import Scorer, clip_scorers, picture_scorers, score_clips, score_pictures

__all__ = [
    "EVERY_SPECIES",
    "POOLED",
    "Bootstrap",
    "Difference",
    "FixedApcer",
    "Interval",
    "Material",
    "MeasurementPlan",
    "NotSupported",
    "NothingToMeasure",
    "PackReport",
    "PadEvaluationError",
    "PadReport",
    "PadSample",
    "SampleKind",
    "ScoreRun",
    "Scorer",
    "ScorerKind",
    "ScorerResult",
    "SetReport",
    "SourceRates",
    "VerdictCounts",
    "clip_scorers",
    "conclude",
    "describe",
    "describe_material",
    "det_chart",
    "draw",
    "draw_charts",
    "draw_mistakes",
    "evaluate_run",
    "histogram_chart",
    "measure_packs",
    "mistakes_sheet",
    "only_listed",
    "picture_scorers",
    "read_dataset",
    "score_clips",
    "score_pictures",
    "without_unusable",
    "worst_mistakes",
]
