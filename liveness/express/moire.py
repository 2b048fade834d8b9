"""The signal of moiré, the periodic pattern that a screen's pixels cause on the sensor's pixels."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.express.cue_summary import CueSignal, CueSummary
from liveness.express.fine_structure import WINDOW
from liveness.express.settings import CueLine, ExpressSettings

__all__ = ["Moire", "measure_moire"]

_LOWEST, _HIGHEST = 0.1, 0.5
"""Cycles per pixel. Below the first, faces have structure too; above the second, a sensor has none."""

_CODING_BLOCK: Final = 8
"""The side of a block in JPEG and video, pixels. The seams of the blocks are lines in the spectrum."""


def measure_moire(structure: NDArray[np.float32] | None) -> float | None:
    """Returns how strongly one frequency stands out in the spectrum of the face's finest detail.

    Only the face counts: rooms have blinds and clothes have a weave, but skin has no periodic structure.

    Args:
        structure: ``fine_structure`` of one frame.

    Returns:
        Power over that of nearby frequencies: about 2 for skin, up to 11 on live faces, 12 and more for a
        clearly visible pattern of a screen; ``None`` if ``structure`` is ``None``, as for a face less than 80
        pixels wide.
    """
    if structure is None:
        return None
    return float(np.exp(structure[_band()].max()))


@cache
def _band() -> NDArray[np.bool_]:
    """Returns a mask of the frequencies that count, in the shape of ``fine_structure``."""
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
    """The median strength of the pattern over the frames."""

    name = "moire"
    label = "No pattern of screen pixels"
    unseen = "No frame shows enough of the face in its own pixels."

    def lines(self, settings: ExpressSettings) -> CueLine:
        """See ``CueSignal.lines``."""
        return settings.moire

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "a pattern" if found.value > lines.line else "no pattern"
        return (
            f"The face shows {what} of screen pixels: one spatial frequency stands out by a factor of "
            f"{found.value:.1f} in {found.counted} (line {lines.line:.1f})."
        )
