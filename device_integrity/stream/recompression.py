"""Tests whether the frames were compressed as JPEG before, at a lower quality.

Coarse quantisation before a fine one leaves gaps in the histogram of the fine coefficients: values that no
coarse step reaches (A. C. Popescu and H. Farid, "Statistical tools for digital forensics", 2004). A webcam
that delivers MJPEG leaves them too, so the test has little weight for browsers and desktops. The absence of
gaps proves nothing: there are none if the frames were scaled between the two compressions, or if the first
quantisation was the finer one.
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
"""How many times as frequent the larger of two neighbouring values must be: natural histograms fall."""

_FEWEST_RISES: Final = 2
_FEWEST_MODES: Final = 2


def check_recompression(tallies: Sequence[BlockTally]) -> DeviceCheck:
    """Returns ``stream.recompression``: whether the histograms of quantised coefficients have gaps."""
    name = "stream.recompression"
    modes = gapped_modes(tallies)
    if modes is None:
        return unavailable(name, "NO_TABLES", "No frame has a readable quantisation table of its luma.")
    if modes >= _FEWEST_MODES:
        return suspect(
            name,
            "COMPRESSED_TWICE",
            f"The coefficients of {modes} frequencies have gaps: an earlier compression was stronger.",
        )
    return not_evaluated(
        name,
        "NO_TRACE",
        "The frames show no trace of an earlier, stronger compression; scaling would remove one.",
    )


def gapped_modes(tallies: Sequence[BlockTally]) -> int | None:
    """Returns the number of frequencies whose histogram has gaps; ``None`` without a histogram.

    A natural histogram falls from value to value. After a gap it rises; two steep rises count as gaps.
    """
    counted = [tally.coefficients for tally in tallies if tally.coefficients.any()]
    if not counted:
        return None
    # The last value includes all larger ones, so it is left out.
    counts = np.sum(counted, axis=0)[:, 1:-1]
    # Counting from 1 leaves out the rise from 0 to 1, because noise alone fills both.
    rises = (counts[:, 1:] >= _FEWEST_FILLED) & (counts[:, 1:] > _RISE * counts[:, :-1])
    return int((rises.sum(axis=1) >= _FEWEST_RISES).sum())
