"""Do a screen's pixels and the sensor's beat against each other?"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_summary import CueSignal, CueSummary
from liveness.express.fine_structure import WINDOW
from liveness.express.settings import CueLine, ExpressSettings

__all__ = ["Moire", "measure_moire"]

_LOWEST, _HIGHEST = 0.1, 0.5
"""Cycles per pixel: below, faces have structure of their own; above, a sensor has none."""

_CODING_BLOCK: Final = 8
"""JPEG and video code blocks of eight pixels, whose seams are lines in the spectrum."""


def measure_moire(structure: NDArray[np.float32] | None) -> float | None:
    """How strongly one frequency stands out of the spectrum of the face's finest detail.

    The face alone: rooms have blinds and clothes a weave, skin has nothing that repeats.

    Args:
        structure: ``fine_structure`` of one frame.

    Returns:
        Power over that of frequencies nearby: about 2 for skin, up to 11 on live faces, 12 and more for a
        screen's pattern that is plain to see; ``None`` for a face less than 80 pixels wide.
    """
    if structure is None:
        return None
    return float(np.exp(structure[_band()].max()))


@cache
def _band() -> NDArray[np.bool_]:
    """Shape of ``fine_structure``: the frequencies that count."""
    down, across = np.meshgrid(np.fft.fftfreq(WINDOW), np.fft.rfftfreq(WINDOW), indexing="ij")
    radius = np.hypot(down, across)
    half_bin = 0.5 / WINDOW

    def seam(along: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
        beat = along * _CODING_BLOCK
        return (np.abs(beat - np.round(beat)) < half_bin) & (np.abs(other) < half_bin)

    blocks = seam(down, across) | seam(across, down)
    counted: NDArray[np.bool_] = (radius >= _LOWEST) & (radius <= _HIGHEST) & ~blocks
    return counted


class Moire(CueSignal):
    """Median strength of the pattern over the frames."""

    name = "moire"
    label = "No pattern of screen pixels"
    unseen = "No frame shows enough of the face in its own pixels."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.moire

    def told(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.told``."""
        what = "a pattern" if found.value > lines.line else "no pattern"
        return (
            f"One spatial frequency stands out {found.value:.1f} times in {found.counted}, "
            f"{lines.line:.1f} is the line: {what}."
        )
