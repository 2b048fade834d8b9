"""Every single-frame cue of recapture, measured in one frame."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

from liveness.express.blur_depth import blur_depth_of
from liveness.express.colour_gamut import colour_gamut_of
from liveness.express.cue_crops import FaceCrop, crop_face
from liveness.express.fine_structure import FineStructure, fine_structure
from liveness.express.halftone import halftone_of
from liveness.express.interface import FrameCues
from liveness.express.medium_border import measure_medium_border
from liveness.express.moire import moire_of
from liveness.express.specular_highlights import specular_highlights_of
from vision.face import BgrImage, DetectedFace

__all__ = ["FRAME_CUES", "measure_frame_cues"]

_OF_THE_PICTURE: Final[Mapping[str, Callable[[BgrImage, DetectedFace], float | None]]] = MappingProxyType(
    {"medium_border": measure_medium_border}
)
_OF_ITS_FACE: Final[Mapping[str, Callable[[FaceCrop], float | None]]] = MappingProxyType(
    {
        "specular_highlights": specular_highlights_of,
        "colour_gamut": colour_gamut_of,
        "blur_depth": blur_depth_of,
    }
)
_OF_ITS_SPECTRA: Final[Mapping[str, Callable[[FineStructure], float | None]]] = MappingProxyType(
    {"moire": moire_of, "halftone": halftone_of}
)

FRAME_CUES: Final = (*_OF_ITS_SPECTRA, *_OF_THE_PICTURE, *_OF_ITS_FACE)
"""The cues' names."""


def measure_frame_cues(
    image: BgrImage, face: DetectedFace, *, frame_index: int, only: Collection[str] | None = None
) -> FrameCues:
    """Measure one upright frame; about 3.5 ms for a frame of 640 x 480 pixels.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255; in its own pixels, as resizing removes
            what some cues look for.
        face: Its face.
        frame_index: The frame's index in the scan.
        only: Names of ``FRAME_CUES`` to measure; all if None.
    """
    wanted = FRAME_CUES if only is None else only
    measured = {name: measure(image, face) for name, measure in _OF_THE_PICTURE.items() if name in wanted}
    if any(name in wanted for name in _OF_ITS_FACE) and (crop := crop_face(image, face)) is not None:
        measured |= {name: measure(crop) for name, measure in _OF_ITS_FACE.items() if name in wanted}
    if any(name in wanted for name in _OF_ITS_SPECTRA):
        structure = fine_structure(image, face)
        measured |= {name: measure(structure) for name, measure in _OF_ITS_SPECTRA.items() if name in wanted}
    return FrameCues(
        frame_index=frame_index,
        values=MappingProxyType({name: value for name, value in measured.items() if value is not None}),
    )
