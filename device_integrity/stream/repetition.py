"""Do frames come again? By their bytes, and by what they show.

``liveness`` asks the same of the pixels that it watches and owns the verdict on the person. Here it is asked
of the bytes as received, so that a device is found out even where no face was.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity.check import DeviceCheck, passed
from device_integrity.stream.findings import not_evaluated, suspect, unavailable
from device_integrity.stream.tracing import FrameTrace

__all__ = ["check_duplicates", "check_loop", "loop_ratio"]

_FEWEST_FRAMES: Final = 8
_MOST_RETURNED: Final = 1
"""Distinct frames that may come again with others between. A camera makes no two equal ones."""

_MOST_REPEATED: Final = 0.6
"""Share of frames that may repeat the one before: a camera read at twice its rate repeats half of them."""

_MOST_FRAMES: Final = 320
"""The last of a stream that are compared with each other, as the price grows with their square."""

_SHORTEST_LOOP: Final = 4
_FEWEST_PAIRS: Final = 8
_LEAST_CHANGE: Final = 0.25
"""Grey levels between frames in a row, below which nothing moves that could come again."""

_SPARSE: Final = 2
"""Of a thumbnail's cells every second tells as much."""

_LOOP_LINE: Final = 0.5
"""Change over a loop's length, over that between frames in a row."""


def check_duplicates(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """``stream.duplicates``: frames of the very same bytes; hard where they come again after others."""
    name = "stream.duplicates"
    marks = [frame.sha256 for frame in frames if frame.textured]
    if len(marks) < _FEWEST_FRAMES:
        return unavailable(name, "TOO_FEW_FRAMES", f"{len(marks)} frames with something on them are too few.")
    distinct = [marks[0], *(now for last, now in pairwise(marks) if now != last)]
    returned = len(distinct) - len(set(distinct))
    repeated = len(marks) - len(distinct)
    if returned > _MOST_RETURNED:
        return suspect(
            name,
            "FRAMES_RETURN",
            f"{returned} frames have the very bytes of an earlier one, with others between; "
            "a camera's noise is new every time.",
            soft=False,
        )
    if repeated > _MOST_REPEATED * len(marks):
        return suspect(
            name, "FRAMES_REPEAT", f"{repeated} of {len(marks)} frames have the bytes of the one before."
        )
    count = (
        f"{repeated} of {len(marks)} frames repeat" if repeated else f"None of {len(marks)} frames repeats"
    )
    return passed(name, "FRAMES_NEW", f"{count} the one before, and none returns later.")


def check_loop(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """``stream.loop``: pictures that come again after a fixed time, though encoded anew."""
    name = "stream.loop"
    found = loop_ratio([frame.thumbnail for frame in frames if frame.textured])
    if found is None:
        return not_evaluated(
            name, "NOTHING_MOVES", "Too few frames, or too little change between them, to find a loop."
        )
    period, ratio = found
    if ratio < _LOOP_LINE:
        return suspect(
            name,
            "FRAMES_LOOP",
            f"Frames {period} apart differ {ratio:.2f} times as much as frames in a row: a clip comes again.",
        )
    return passed(
        name,
        "NO_LOOP",
        f"Frames {period} apart are most alike: {ratio:.2f} times the change from one to the next.",
    )


def loop_ratio(thumbnails: Sequence[NDArray[np.float32]]) -> tuple[int, float] | None:
    """The distance at which frames are most alike, over how much frames in a row differ.

    The median over pairs, and beside it the mean brightness, so that a blink or a colour of the flash counts
    little. A person who keeps still or nods differs more over any time than from frame to frame.

    Args:
        thumbnails: Of the frames in order.

    Returns:
        The distance in frames and the ratio; ``None`` where frames are too few or nothing changes.
    """
    thumbnails = thumbnails[-_MOST_FRAMES:]
    count = len(thumbnails)
    if count < _SHORTEST_LOOP + _FEWEST_PAIRS:
        return None
    values = np.stack(thumbnails)[:, ::_SPARSE]
    values -= values.mean(axis=1, keepdims=True)
    steps = _changes(values, 1)
    # A camera read too fast hands out frames twice; they say nothing of how fast the picture changes.
    fresh = steps[steps > _LEAST_CHANGE / 4]
    if len(fresh) < _FEWEST_PAIRS or float(np.median(fresh)) < _LEAST_CHANGE:
        return None
    lags = range(_SHORTEST_LOOP, count - _FEWEST_PAIRS + 1)
    medians = np.array([_median(_changes(values, lag)) for lag in lags])
    best = int(medians.argmin())
    return lags[best], float(medians[best]) / float(np.median(fresh))


def _median(values: NDArray[np.float32]) -> float:
    """``np.median`` of a row without NaN, several times as fast: it is asked once for each lag."""
    inside, half = np.sort(values), len(values) // 2
    return float(inside[half]) if len(values) % 2 else float((inside[half - 1] + inside[half]) / 2)


def _changes(values: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """Root mean square difference of each frame from the one ``lag`` later, grey levels."""
    # Row by row rather than as one matrix product, whose threads a busy server has no cores for.
    apart = values[lag:] - values[:-lag]
    return np.asarray(np.sqrt(np.einsum("fp,fp->f", apart, apart) / values.shape[1]), np.float32)
