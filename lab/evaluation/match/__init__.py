"""Measures face matching on photos of known persons, with the metrics of ISO/IEC 19795-1."""

from lab.evaluation.match.calibration import (
    PackMeasurement,
    calibrate,
    common_embedder,
    measure_comparisons,
    render_calibration,
    without_folder,
)
from lab.evaluation.match.charts import draw_charts
from lab.evaluation.match.comparisons import compare_all
from lab.evaluation.match.error_bounds import persons_needed
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.match.groups import group_photos
from lab.evaluation.match.impostor_scores import THRESHOLDS
from lab.evaluation.match.measuring import Material, embed_with_progress, measure_packs
from lab.evaluation.match.pair_list import read_pairs
from lab.evaluation.match.photos import (
    Corrections,
    FacePhoto,
    MatchEvaluationError,
    NothingToMeasure,
    PhotoListError,
    read_corrections,
    read_photo_list,
)
from lab.evaluation.match.report import describe, not_supported, suspected_files
from lab.evaluation.match.templates import Degradation, LabelledTemplate, embed_photos

__all__ = [
    "THRESHOLDS",
    "Bootstrap",
    "Corrections",
    "Degradation",
    "FacePhoto",
    "LabelledTemplate",
    "MatchEvaluationError",
    "Material",
    "NothingToMeasure",
    "PackMeasurement",
    "PhotoListError",
    "calibrate",
    "common_embedder",
    "compare_all",
    "describe",
    "draw_charts",
    "embed_photos",
    "embed_with_progress",
    "group_photos",
    "measure_comparisons",
    "measure_packs",
    "not_supported",
    "persons_needed",
    "read_corrections",
    "read_pairs",
    "read_photo_list",
    "render_calibration",
    "suspected_files",
    "without_folder",
]
