"""Do a screen's pixels and the sensor's beat against each other?"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.fine_structure import WINDOW, FineStructure, fine_structure
from liveness.express.interface import FrameCues
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import BgrImage, DetectedFace

__all__ = ["Moire", "measure_moire", "moire_of"]

_LOWEST, _HIGHEST = 0.1, 0.5
"""Cycles per pixel: below, faces have structure of their own; above, a sensor has none."""

_CODING_BLOCK = 8
"""JPEG and video code blocks of eight pixels, whose seams are lines in the spectrum."""


def measure_moire(image: BgrImage, face: DetectedFace) -> float | None:
    """How strongly one frequency stands out of the spectrum of the finest detail.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255; in its own pixels, as resizing removes
            the pattern.
        face: Its face.

    Returns:
        Power over that of frequencies nearby, mean of face and surroundings in the logarithm: about 2
        for skin and rooms, 5 and more for a screen's pattern; ``None`` for a face less than 80 pixels
        wide in a picture without surroundings.
    """
    return moire_of(fine_structure(image, face))


def moire_of(structure: FineStructure) -> float | None:
    """The same of a frame whose spectra are at hand."""
    places = [peaks for peaks in (structure.face, structure.surroundings) if peaks is not None]
    if not places:
        return None
    return float(np.exp(np.mean(places, axis=0)[_band()].max()))


@cache
def _band() -> NDArray[np.bool_]:
    """Shape of ``FineStructure.face``: the frequencies that count."""
    down, across = np.meshgrid(np.fft.fftfreq(WINDOW), np.fft.rfftfreq(WINDOW), indexing="ij")
    radius = np.hypot(down, across)
    half_bin = 0.5 / WINDOW

    def seam(along: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
        beat = along * _CODING_BLOCK
        return (np.abs(beat - np.round(beat)) < half_bin) & (np.abs(other) < half_bin)

    blocks = seam(down, across) | seam(across, down)
    counted: NDArray[np.bool_] = (radius >= _LOWEST) & (radius <= _HIGHEST) & ~blocks
    return counted


class Moire:
    """Median strength of the pattern over the frames."""

    name = "moire"
    label = "No pattern of screen pixels"

    def __init__(self, cues: Sequence[FrameCues]) -> None:
        """Take the frames' cues; see ``frame_cues.measure_frame_cues``."""
        self._cues = tuple(cues)

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        del scan
        found = summarise_cue(self._cues, self.name)
        if found is None:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason="No frame shows enough of the face in its own pixels.",
            )
        lines = settings.moire
        told = "a pattern" if found.value > lines.line else "no pattern"
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=f"One spatial frequency stands out {found.value:.1f} times in {found.counted}, "
            f"{lines.line:.1f} is the line: {told}.",
        )
