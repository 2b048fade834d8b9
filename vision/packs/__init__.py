"""Packs: sets of models with their preprocessing, terms and calibration."""

from vision.packs.calibration import CalibrationRecord, MatchCalibration, ScorePoint
from vision.packs.interfaces import Embedder, FaceDetector, Landmarker, PadNetwork
from vision.packs.loading import load_pack
from vision.packs.pack import LicenceTerms, Pack, PackFile

__all__ = [
    "CalibrationRecord",
    "Embedder",
    "FaceDetector",
    "Landmarker",
    "LicenceTerms",
    "MatchCalibration",
    "Pack",
    "PackFile",
    "PadNetwork",
    "ScorePoint",
    "load_pack",
]
