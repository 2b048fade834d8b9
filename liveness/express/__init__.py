"""Passive liveness: one module for each signal, and the judge that combines them."""

from liveness.express.fine_structure import fine_structure
from liveness.express.frame_cues import measure_frame_cues
from liveness.express.interface import FrameCues, PadScore
from liveness.express.life_signs import has_sign_of_life, life_signs
from liveness.express.settings import ExpressSettings

__all__ = [
    "ExpressSettings",
    "FrameCues",
    "PadScore",
    "fine_structure",
    "has_sign_of_life",
    "life_signs",
    "measure_frame_cues",
]
