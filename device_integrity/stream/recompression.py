"""Were the pictures JPEGs before, and harder ones?

What was quantised coarsely and then finely leaves gaps in the histogram of the fine coefficients: values that
no coarse step reaches (A. C. Popescu and H. Farid, "Statistical tools for digital forensics", 2004). A webcam
that delivers MJPEG leaves them, too, so on browsers and desktops it says little. Scaling between the two
compressions, or a finer first one, leaves none: a pass means nothing.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device_integrity.check import DeviceCheck
from device_integrity.stream.blocks import BlockTally
from device_integrity.stream.findings import not_evaluated, suspect, unavailable

__all__ = ["check_recompression", "gapped_modes"]

_FEWEST_FILLED: Final = 30
_RISE: Final = 3.0
"""How many times more often the larger of two neighbouring values must come: natural histograms fall."""

_FEWEST_RISES: Final = 2
_FEWEST_MODES: Final = 2


def check_recompression(tallies: Sequence[BlockTally]) -> DeviceCheck:
    """``stream.recompression``: gaps in the histograms of quantised coefficients."""
    name = "stream.recompression"
    modes = gapped_modes(tallies)
    if modes is None:
        return unavailable(name, "NO_TABLES", "No frame told how its luma was quantised.")
    if modes >= _FEWEST_MODES:
        return suspect(
            name,
            "COMPRESSED_TWICE",
            f"The coefficients of {modes} frequencies have gaps: the pictures were compressed harder before.",
        )
    return not_evaluated(
        name, "NO_TRACE", "No trace of an earlier, harder compression; scaling would remove one."
    )


def gapped_modes(tallies: Sequence[BlockTally]) -> int | None:
    """Frequencies whose histogram rises where it should fall; ``None`` without a histogram."""
    counted = [tally.coefficients for tally in tallies if tally.coefficients.any()]
    if not counted:
        return None
    # Values at the end stand for all larger ones.
    counts = np.sum(counted, axis=0)[:, 1:-1]
    # Zero and one are left out of the rises by starting at one: noise alone fills both.
    rises = (counts[:, 1:] >= _FEWEST_FILLED) & (counts[:, 1:] > _RISE * counts[:, :-1])
    return int((rises.sum(axis=1) >= _FEWEST_RISES).sum())
