"""Passive liveness: one module for each signal, and the judge that combines them."""

from liveness.express.cues import FrameCues
from liveness.express.frame_cues import fine_structure, measure_frame_cues
from liveness.express.motion import has_sign_of_life, life_signs
from liveness.express.pad_network import PadScore
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
