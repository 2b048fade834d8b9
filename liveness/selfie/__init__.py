"""The liveness of one selfie, the weighted sum of eight explainable signals.

It implements the older selfie API, which docs/analysis.md describes.

Start with ``judge_selfie``. Other functions give its intermediate steps: ``texture_crop`` with ``lbp_codes``
and ``lbp_histogram``, ``inner_square`` with ``face_spectrum``, and ``symmetric_pairs``.
"""

from liveness.selfie.geometry import asymmetry, symmetric_pairs
from liveness.selfie.judge import (
    NEUTRAL,
    SIGNAL_NAMES,
    SelfieModel,
    SelfieResult,
    judge_selfie,
    load_selfie_model,
    parse_selfie_model,
    selfie_verdict,
)
from liveness.selfie.settings import (
    INCONCLUSIVE_MARGIN,
    SelfieSettings,
    SelfieSubject,
    face_crop,
    inner_square,
    texture_crop,
)
from liveness.selfie.spectrum import Spectrum, SpectrumMeasures, face_spectrum, measure_spectrum
from liveness.selfie.texture import LBP_BINS, lbp_codes, lbp_histogram, pattern_entropy

__all__ = [
    "INCONCLUSIVE_MARGIN",
    "LBP_BINS",
    "NEUTRAL",
    "SIGNAL_NAMES",
    "SelfieModel",
    "SelfieResult",
    "SelfieSettings",
    "SelfieSubject",
    "Spectrum",
    "SpectrumMeasures",
    "asymmetry",
    "face_crop",
    "face_spectrum",
    "inner_square",
    "judge_selfie",
    "lbp_codes",
    "lbp_histogram",
    "load_selfie_model",
    "measure_spectrum",
    "parse_selfie_model",
    "pattern_entropy",
    "selfie_verdict",
    "symmetric_pairs",
    "texture_crop",
]
