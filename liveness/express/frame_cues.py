"""The measurement of every single-frame cue of recapture in one frame."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from liveness.express.blur_depth import measure_blur_depth
from liveness.express.colour_gamut import measure_colour_gamut
from liveness.express.cue_crops import FaceCrop, WideCrop, cut_crops
from liveness.express.fine_structure import fine_structure
from liveness.express.interface import COLOURLESS, FrameCues
from liveness.express.medium_border import measure_medium_border
from liveness.express.moire import measure_moire
from liveness.express.specular_highlights import measure_specular_highlights
from vision.face import BgrImage, DetectedFace

__all__ = ["FRAME_CUES", "measure_frame_cues"]

_MOIRE: Final = "moire"
_OF_THE_ROOM: Final[Mapping[str, Callable[[WideCrop], float | None]]] = MappingProxyType(
    {"medium_border": measure_medium_border}
)
_OF_THE_FACE: Final[Mapping[str, Callable[[FaceCrop], float | None]]] = MappingProxyType(
    {
        "specular_highlights": measure_specular_highlights,
        "colour_gamut": measure_colour_gamut,
        "blur_depth": measure_blur_depth,
    }
)

_STEP: Final = 4
"""The spacing of the pixels that are read to tell whether a frame is grey."""
_GREY_MEAN, _GREY_MOST = 2.0, 8
"""The differences between the channels of a grey frame, 8-bit steps: their mean, and that of all but one
pixel in a hundred. Grey frames have 0 to 3; the frames of 57 recorded clips 9.7 or more, and 21 or more."""

FRAME_CUES: Final = (_MOIRE, *_OF_THE_ROOM, *_OF_THE_FACE)
"""The names of the cues."""


def measure_frame_cues(image: BgrImage, face: DetectedFace, *, frame_index: int) -> FrameCues:
    """Measures the cues of one upright frame.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255; not resized, because resizing removes the
            structure that some cues measure.
        face: The face in the frame.
        frame_index: The frame's index in the scan.
    """
    measured: dict[str, float | None] = {_MOIRE: measure_moire(fine_structure(image, face))}
    if (crops := cut_crops(image, face)) is not None:
        measured |= {name: measure(crops.wide) for name, measure in _OF_THE_ROOM.items()}
        measured |= {name: measure(crops.close) for name, measure in _OF_THE_FACE.items()}
    if _colourless(image):
        measured[COLOURLESS] = 1.0
    return FrameCues(
        frame_index=frame_index,
        values=MappingProxyType({name: value for name, value in measured.items() if value is not None}),
    )


def _colourless(image: BgrImage) -> bool:
    blue, green, red = cv2.split(image[::_STEP, ::_STEP])
    apart = np.maximum(cv2.absdiff(blue, red), cv2.absdiff(blue, green))
    return float(apart.mean()) <= _GREY_MEAN and float(np.percentile(apart, 99)) <= _GREY_MOST
