"""Tests whether parts of a frame stay the same while others change.

A camera exposes each pixel again in every frame. A player's window, bars beside a video of another aspect
ratio and an image below a pasted, moving face have parts that stay the same bit for bit, while others change.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device_integrity.check import DeviceCheck, passed_test
from device_integrity.stream.blocks import BlockTally
from device_integrity.stream.findings import suspect, unavailable

__all__ = ["check_structure", "still_share"]

_FEWEST_PAIRS: Final = 12
_STILL: Final = 0.9
"""Share of all pairs of frames in which a still block is the same."""

_MOST_STILL: Final = 0.3
"""Largest share of still blocks. Strong encoders copy plain backgrounds: up to a fifth of an honest clip is
still, but half of a clip in a player's window (docs/device_integrity.md)."""

_DARK: Final = 24.0
_BRIGHT: Final = 235.0
"""Grey levels beyond which a camera clips, so that nothing changes there either."""


def check_structure(tallies: Sequence[BlockTally]) -> DeviceCheck:
    """Returns ``stream.structure``: whether blocks never change while others do."""
    name = "stream.structure"
    share = still_share(tallies)
    if share is None:
        return unavailable(name, "TOO_FEW_FRAMES", "The stream has too few different frames of one size.")
    if share > _MOST_STILL:
        return suspect(
            name,
            "PARTS_STAND_STILL",
            f"{100 * share:.0f} % of the frame stays the same bit for bit while the rest changes.",
        )
    return passed_test(name, "ALL_FRESH", f"{100 * share:.0f} % of the frame stays the same bit for bit.")


def still_share(tallies: Sequence[BlockTally]) -> float | None:
    """Returns the share of still blocks among those that are neither black nor white.

    The blocks are those of the frame size with the most pairs. A frame with the same bytes as the previous
    one is no pair (``BlockTally.add``). ``None`` if there are too few pairs or all blocks are clipped.
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
