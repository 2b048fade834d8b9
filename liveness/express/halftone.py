"""Is the face made of a printer's dots?"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_summary import CueSignal, CueSummary
from liveness.express.fine_structure import FineStructure
from liveness.express.settings import CueLine, ExpressSettings

__all__ = ["Halftone", "measure_halftone"]

_LOWEST, _HIGHEST = 0.12, 0.5
_OFF_AXIS = 12.0
"""Degrees from upright and level: yellow's screen and a display's pixels lie there, black's, cyan's and
magenta's at 45, 15 and 75."""


def measure_halftone(structure: FineStructure) -> float | None:
    """How strongly two frequencies at a right angle to each other stand out, off the axes.

    A halftone screen is a square lattice of dots: two peaks of like strength and the same frequency, a
    quarter turn apart; black's lie at 45 degrees, where the eye sees them least, and cyan's and
    magenta's at 15 and 75 (ISO 12647-2). Moiré has one family of stripes, or lies along the axes.

    Args:
        structure: Of one frame.

    Returns:
        Power of the weaker one over that of frequencies nearby, on the face, in luma or in blue minus
        red, whichever is stronger: about 1 to 2 without dots, 4 and more with; ``None`` for a face less
        than 80 pixels wide.
    """
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


class Halftone(CueSignal):
    """Median strength of the dots over the frames."""

    name = "halftone"
    label = "No printed dots"
    unseen = "No frame shows enough of the face in its own pixels."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.halftone

    def told(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.told``."""
        what = "dots" if found.value > lines.line else "no dots"
        return (
            f"A lattice of dots stands out {found.value:.1f} times in {found.counted}, "
            f"{lines.line:.1f} is the line: {what}."
        )
