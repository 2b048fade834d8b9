"""Packs: sets of models with their preprocessing, terms and calibration."""

from vision.packs.calibration import CalibrationRecord, MatchCalibration, ScorePoint
from vision.packs.catalogue import (
    IMPORTED_KIND,
    MODELS_FILE,
    CataloguePack,
    load_catalogue,
)
from vision.packs.interfaces import Embedder, FaceDetector, Landmarker, PadNetwork, Template, TemplateForm
from vision.packs.loading import load_pack
from vision.packs.minifasnet_state import StateFileError, minifasnet_to_onnx, read_state
from vision.packs.onnx_models import OnnxPadNetwork
from vision.packs.pack import Pack, read_operator_calibration, with_calibration
from vision.packs.pack_files import (
    FAMILIES,
    VerifiedFile,
    choose_files,
    default_models_dir,
    folder_files,
    named_files,
    read_file,
)

__all__ = [
    "FAMILIES",
    "IMPORTED_KIND",
    "MODELS_FILE",
    "CalibrationRecord",
    "CataloguePack",
    "Embedder",
    "FaceDetector",
    "Landmarker",
    "MatchCalibration",
    "OnnxPadNetwork",
    "Pack",
    "PadNetwork",
    "ScorePoint",
    "StateFileError",
    "Template",
    "TemplateForm",
    "VerifiedFile",
    "choose_files",
    "default_models_dir",
    "folder_files",
    "load_catalogue",
    "load_pack",
    "minifasnet_to_onnx",
    "named_files",
    "read_file",
    "read_operator_calibration",
    "read_state",
    "with_calibration",
]
