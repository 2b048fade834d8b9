"""The liveness of one selfie, the weighted sum of eight explainable signals.

It implements the older selfie API, which docs/analysis.md describes.

Start with ``judge_selfie``. Other functions give its intermediate steps: ``texture_crop`` with ``lbp_codes``
and ``lbp_histogram``, ``inner_square`` with ``face_spectrum``, and ``symmetric_pairs``.
"""

from liveness.selfie.geometry import symmetric_pairs
from liveness.selfie.judge import SIGNAL_NAMES, SelfieModel, SelfieResult, judge_selfie, load_selfie_model
from liveness.selfie.settings import (
    INCONCLUSIVE_MARGIN,
    SelfieSettings,
    SelfieSubject,
    inner_square,
    texture_crop,
)
from liveness.selfie.spectrum import face_spectrum
from liveness.selfie.texture import lbp_codes, lbp_histogram

__all__ = [
    "INCONCLUSIVE_MARGIN",
    "SIGNAL_NAMES",
    "SelfieModel",
    "SelfieResult",
    "SelfieSettings",
    "SelfieSubject",
    "face_spectrum",
    "inner_square",
    "judge_selfie",
    "lbp_codes",
    "lbp_histogram",
    "load_selfie_model",
    "symmetric_pairs",
    "texture_crop",
]
