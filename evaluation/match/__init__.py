"""Measures face matching on photos of known persons, with the metrics of ISO/IEC 19795-1."""

from evaluation.match.calibration import (
    PackMeasurement,
    calibrate,
    common_embedder,
    embedder_sha256,
    measure_comparisons,
    render_calibration,
    without_folder,
)
from evaluation.match.comparisons import MOST_TEMPLATES, Comparisons, compare_all, compare_pairs
from evaluation.match.duplicates import suspected_duplicates
from evaluation.match.error_bounds import FnmrCurve, persons_needed
from evaluation.match.evaluation import (
    MAIN_SET,
    SEPARATE_SET,
    Bootstrap,
    Difference,
    SetResult,
    differences,
    evaluate_sets,
)
from evaluation.match.groups import GroupResult, evaluate_groups, group_photos
from evaluation.match.impostor_scores import THRESHOLDS, place_of
from evaluation.match.measuring import Material, embed_with_progress, measure_packs
from evaluation.match.operating_points import (
    TARGETS,
    FmrAt,
    NotSupported,
    OperatingPoint,
    Promise,
    RateInterval,
    rates_at,
)
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
from evaluation.match.portrait_rates import evaluate_portraits
from evaluation.match.report import Comparison, MatchReport, PackReport, Photos, det_chart, histogram_chart
from evaluation.match.reporting import describe, draw_charts, not_supported, suspected_files
from evaluation.match.templates import (
    AcquisitionFault,
    Degradation,
    LabelledTemplate,
    TemplateRun,
    embed_photos,
)

__all__ = [
    "MAIN_SET",
    "MOST_TEMPLATES",
    "SEPARATE_SET",
    "TARGETS",
    "THRESHOLDS",
    "AcquisitionFault",
    "Bootstrap",
    "Comparison",
    "Comparisons",
    "Corrections",
    "Degradation",
    "Difference",
    "FacePhoto",
    "FmrAt",
    "FnmrCurve",
    "GroupResult",
    "LabelledTemplate",
    "MatchEvaluationError",
    "MatchReport",
    "Material",
    "NotSupported",
    "NothingToMeasure",
    "OperatingPoint",
    "PackMeasurement",
    "PackReport",
    "PhotoListError",
    "Photos",
    "Promise",
    "RateInterval",
    "SetResult",
    "TemplateRun",
    "calibrate",
    "common_embedder",
    "compare_all",
    "compare_pairs",
    "describe",
    "det_chart",
    "differences",
    "draw_charts",
    "embed_photos",
    "embed_with_progress",
    "embedder_sha256",
    "evaluate_groups",
    "evaluate_portraits",
    "evaluate_sets",
    "group_photos",
    "histogram_chart",
    "measure_comparisons",
    "measure_packs",
    "not_supported",
    "persons_needed",
    "place_of",
    "rates_at",
    "read_corrections",
    "read_pairs",
    "read_photo_list",
    "render_calibration",
    "suspected_duplicates",
    "suspected_files",
    "without_folder",
]
