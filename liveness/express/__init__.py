"""Passive liveness: the signals, and the measurements that they score."""

from liveness.express.cues import FrameCues
from liveness.express.frame_cues import fine_structure, measure_frame_cues
from liveness.express.pad_network import PadScore
from liveness.express.settings import ExpressSettings
from liveness.express.signals import has_sign_of_life, life_signs

__all__ = [
    "ExpressSettings",
    "FrameCues",
    "PadScore",
    "fine_structure",
    "has_sign_of_life",
    "life_signs",
    "measure_frame_cues",
]
