"""Is the face made of a printer's dots?"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.fine_structure import FineStructure, fine_structure
from liveness.express.interface import FrameCues
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import BgrImage, DetectedFace

__all__ = ["Halftone", "halftone_of", "measure_halftone"]

_LOWEST, _HIGHEST = 0.12, 0.5
_OFF_AXIS = 12.0
"""Degrees from upright and level: yellow's screen and a display's pixels lie there, black's, cyan's and
magenta's at 45, 15 and 75."""


def measure_halftone(image: BgrImage, face: DetectedFace) -> float | None:
    """How strongly two frequencies at a right angle to each other stand out, off the axes.

    A halftone screen is a square lattice of dots: two peaks of like strength and the same frequency, a
    quarter turn apart; black's lie at 45 degrees, where the eye sees them least, and cyan's and
    magenta's at 15 and 75 (ISO 12647-2). Moiré has one family of stripes, or lies along the axes.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255; in its own pixels.
        face: Its face.

    Returns:
        Power of the weaker one over that of frequencies nearby, on the face, in luma or in blue minus
        red, whichever is stronger: about 1 to 2 without dots, 4 and more with; ``None`` for a face less
        than 80 pixels wide.
    """
    return halftone_of(fine_structure(image, face))


def halftone_of(structure: FineStructure) -> float | None:
    """The same of a frame whose spectra are at hand."""
    if structure.face is None or structure.face_colour is None:
        return None
    return float(np.exp(max(_strongest_pair(structure.face), _strongest_pair(structure.face_colour))))


def _strongest_pair(peaks: NDArray[np.float32]) -> float:
    down, across, turned_down, turned_across = _pairs(peaks.shape[0])
    return float(np.minimum(peaks[down, across], peaks[turned_down, turned_across]).max())


@cache
def _pairs(side: int) -> tuple[NDArray[np.intp], ...]:
    """Rows and columns of the frequencies that count, and of those a quarter turn on.

    A real picture's spectrum has each frequency at its negative too, so the half with columns from 0
    holds all: (v, u) turned is (-u, v), or (u, -v) where v is negative.
    """
    row, column = np.meshgrid(np.arange(side), np.arange(side // 2 + 1), indexing="ij")
    down = np.where(row < side / 2, row, row - side)
    radius = np.hypot(down, column) / side
    angle = np.degrees(np.arctan2(np.abs(down), column))
    counted = (radius >= _LOWEST) & (radius <= _HIGHEST) & (np.abs(angle - 45) <= 45 - _OFF_AXIS)
    row, column, down = row[counted], column[counted], down[counted]
    turned_down = np.where(down >= 0, -column, column) % side
    return row, column, turned_down, np.abs(down)


class Halftone:
    """Median strength of the dots over the frames."""

    name = "halftone"
    label = "No printed dots"

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
        lines = settings.halftone
        told = "dots" if found.value > lines.line else "no dots"
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=f"A lattice of dots stands out {found.value:.1f} times in {found.counted}, "
            f"{lines.line:.1f} is the line: {told}.",
        )
