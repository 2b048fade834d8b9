"""Is every part of a frame as fresh as the rest?

A camera exposes each pixel anew. A player's window, bars beside a video of another shape, a picture pasted
under a face that moves: parts that stay as they are, bit for bit, while others change.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device_integrity.check import DeviceCheck, passed
from device_integrity.stream.blocks import BlockTally
from device_integrity.stream.findings import suspect, unavailable

__all__ = ["check_structure", "still_share"]

_FEWEST_PAIRS: Final = 12
_STILL: Final = 0.9
"""Of all pairs of frames: a block that was the same in so many is called still."""

_MOST_STILL: Final = 0.3
"""Strong encoders carry plain backgrounds over: up to a fifth of honest clips stands still, of a clip in a
player's window half (docs/device_integrity.md)."""

_DARK: Final = 24.0
_BRIGHT: Final = 235.0
"""Grey levels, beyond which a camera clips: there nothing changes, either."""


def check_structure(tallies: Sequence[BlockTally]) -> DeviceCheck:
    """``stream.structure``: blocks that never change while others do."""
    name = "stream.structure"
    share = still_share(tallies)
    if share is None:
        return unavailable(name, "TOO_FEW_FRAMES", "Too few different frames of one size.")
    if share > _MOST_STILL:
        return suspect(
            name,
            "PARTS_STAND_STILL",
            f"{share:.0%} of the picture stays the same bit for bit while the rest changes.",
        )
    return passed(name, "ALL_FRESH", f"{share:.0%} of the picture stays the same bit for bit.")


def still_share(tallies: Sequence[BlockTally]) -> float | None:
    """Share of blocks, neither black nor white, that hardly ever change; of the size with most frames.

    A frame that is as a whole the same as the one before is no pair (``BlockTally.add``).
    """
    most = max(tallies, key=lambda tally: tally.pairs, default=None)
    if most is None or most.pairs < _FEWEST_PAIRS:
        return None
    mean = most.brightness / most.pairs
    shown = (mean > _DARK) & (mean < _BRIGHT)
    if not shown.any():
        return None
    still = (most.still >= _STILL * most.pairs) & shown
    return float(np.count_nonzero(still) / np.count_nonzero(shown))
