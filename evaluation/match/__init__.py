"""Measures face matching on photos of known persons, with the metrics of ISO/IEC 19795-1."""

from evaluation.match.calibration import (
    PackMeasurement,
    calibrate,
    common_embedder,
    measure_comparisons,
    render_calibration,
    without_folder,
)
from evaluation.match.comparisons import compare_all
from evaluation.match.error_bounds import persons_needed
from evaluation.match.evaluation import Bootstrap
from evaluation.match.groups import group_photos
from evaluation.match.impostor_scores import THRESHOLDS
from evaluation.match.measuring import Material, embed_with_progress, measure_packs
from evaluation.match.pair_list import read_pairs
from evaluation.match.photos import (
    Corrections,
    FacePhoto,
    MatchEvaluationError,
    NothingToMeasure,
    PhotoListError,
    read_corrections,
    read_photo_list,
)
from evaluation.match.reporting import describe, draw_charts, not_supported, suspected_files
from evaluation.match.templates import Degradation, LabelledTemplate, embed_photos

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
