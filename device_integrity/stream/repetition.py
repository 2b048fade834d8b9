"""Tests whether frames repeat, by their bytes and by their content.

``liveness`` tests the pixels of measured frames for its verdict on the person. This module tests the bytes as
received, so that it finds a manipulated device even if the frames show no face.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity.check import DeviceCheck, passed_test
from device_integrity.stream.findings import not_evaluated, suspect, unavailable
from device_integrity.stream.tracing import FrameTrace

__all__ = ["check_duplicates", "check_loop", "loop_ratio"]

_FEWEST_FRAMES: Final = 8
_MOST_RETURNED: Final = 1
"""Most distinct frames that may return after others. A camera never makes two equal frames."""

_MOST_REPEATED: Final = 0.6
"""Largest share of frames that may repeat the previous one: at twice the camera's rate, half of them do."""

_MOST_FRAMES: Final = 320
"""Maximum number of frames, the last of a stream, that are compared: the cost grows with its square."""

_SHORTEST_LOOP: Final = 4
_FEWEST_PAIRS: Final = 8
_LEAST_CHANGE: Final = 0.25
"""Least difference between successive frames, grey levels; below it nothing moves that could repeat."""

_SPARSE: Final = 2
"""Every second cell of a thumbnail suffices."""

_LOOP_LINE: Final = 0.5
"""Threshold of the ratio of the change over a loop's length to that between successive frames."""


def check_duplicates(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """Returns ``stream.duplicates``: whether frames have the same bytes; hard if other frames lie between."""
    name = "stream.duplicates"
    marks = [frame.sha256 for frame in frames if frame.textured]
    if len(marks) < _FEWEST_FRAMES:
        return unavailable(name, "TOO_FEW_FRAMES", f"{len(marks)} frames with contrast are too few.")
    distinct = [marks[0], *(now for last, now in pairwise(marks) if now != last)]
    returned = len(distinct) - len(set(distinct))
    repeated = len(marks) - len(distinct)
    if returned > _MOST_RETURNED:
        return suspect(
            name,
            "FRAMES_RETURN",
            f"{returned} frames have the same bytes as an earlier one, with others between; "
            "the noise of a camera differs in every frame.",
            soft=False,
        )
    if repeated > _MOST_REPEATED * len(marks):
        return suspect(
            name,
            "FRAMES_REPEAT",
            f"{repeated} of {len(marks)} frames have the same bytes as the previous one.",
        )
    count = (
        f"{repeated} of {len(marks)} frames repeat" if repeated else f"None of {len(marks)} frames repeats"
    )
    return passed_test(name, "FRAMES_NEW", f"{count} the previous one, and {returned} return later.")


def check_loop(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """Returns ``stream.loop``: whether frames repeat after a fixed time, even if they are re-encoded."""
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
            f"Frames {period} apart differ {ratio:.2f} times as much as successive frames: a clip repeats.",
        )
    return passed_test(
        name,
        "NO_LOOP",
        f"The most similar frames, {period} apart, differ {ratio:.2f} times as much as successive frames.",
    )


def loop_ratio(thumbnails: Sequence[NDArray[np.float32]]) -> tuple[int, float] | None:
    """Finds after how many frames the content is most similar, compared with successive frames.

    The change is the median over pairs of frames, without each frame's mean brightness, so that a blink or a
    colour of the flash has little effect. Frames of a person that keeps still or nods differ more over any
    distance than from frame to frame.

    Args:
        thumbnails: The thumbnails of the frames in order.

    Returns:
        The distance in frames and the ratio; ``None`` if there are too few frames or nothing changes.
    """
    thumbnails = thumbnails[-_MOST_FRAMES:]
    count = len(thumbnails)
    if count < _SHORTEST_LOOP + _FEWEST_PAIRS:
        return None
    values = np.stack(thumbnails)[:, ::_SPARSE]
    values -= values.mean(axis=1, keepdims=True)
    steps = _changes(values, 1)
    # A camera that is read too fast delivers frames twice; these do not show how fast the scene changes.
    fresh = steps[steps > _LEAST_CHANGE / 4]
    if len(fresh) < _FEWEST_PAIRS or float(np.median(fresh)) < _LEAST_CHANGE:
        return None
    lags = range(_SHORTEST_LOOP, count - _FEWEST_PAIRS + 1)
    medians = np.array([_median(_changes(values, lag)) for lag in lags])
    best = int(medians.argmin())
    return lags[best], float(medians[best]) / float(np.median(fresh))


def _median(values: NDArray[np.float32]) -> float:
    """Returns ``np.median`` of a row without NaN, several times as fast; it is called once for each lag."""
    inside, half = np.sort(values), len(values) // 2
    return float(inside[half]) if len(values) % 2 else float((inside[half - 1] + inside[half]) / 2)


def _changes(values: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """Returns the root mean square difference of each frame from the one ``lag`` later, grey levels."""
    # Row by row: a matrix product would use threads, for which a busy server has no cores.
    apart = values[lag:] - values[:-lag]
    return np.asarray(np.sqrt(np.einsum("fp,fp->f", apart, apart) / values.shape[1]), np.float32)
