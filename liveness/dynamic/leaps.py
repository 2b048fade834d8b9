"""Sudden changes of the face's colour, whatever caused them.

Colours, not brightness: exposure and shadows leave them alone, and in daylight nothing but another light
changes them within a tenth of a second. A face that leaps where the challenge does not was lit by something
else: by another challenge, when the picture was recorded, or by a television, which lights the room as well.
"""

import math

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.track import TrackView

__all__ = ["count_leaps"]

_SPAN = 3
_LEAST = 0.08
_CLEAR = 8.0
_SHARED = 0.5


def count_leaps(track: TrackView) -> int:
    """How often the face's colour leapt, by more than 8 % and clear of its noise, and the room's did not."""
    rows = np.flatnonzero(track.seen)
    if len(rows) < 4 * _SPAN:
        return 0
    face = _colour(track.face[rows])
    room = _colour(np.nan_to_num(track.background[rows]))
    bends = np.abs(face[2:] - 2 * face[1:-1] + face[:-2]).sum(axis=1)
    noise = float(np.median(bends)) / math.sqrt(6)
    steps = _steps(face)
    sizes, shared = np.sqrt((steps**2).sum(axis=1)), np.sqrt((_steps(room) ** 2).sum(axis=1))
    line = max(_LEAST, _CLEAR * noise)
    count = 0
    for place in np.argsort(-sizes).tolist():
        if sizes[place] < line:
            break
        if sizes[place] < sizes[max(0, place - _SPAN) : place + _SPAN + 1].max():
            continue
        if shared[place] > _SHARED * sizes[place]:
            continue
        count += 1
    return count


def _colour(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Red and blue over green, as logarithms; shape (t, 2)."""
    return np.stack([light[:, 0] - light[:, 1], light[:, 2] - light[:, 1]], axis=1)


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At every place between frames: the mean of the next frames without that of the last."""
    sums = np.concatenate([np.zeros((1, 2)), values.cumsum(axis=0)])
    means = (sums[_SPAN:] - sums[:-_SPAN]) / _SPAN
    stepped: NDArray[np.float64] = means[_SPAN:] - means[:-_SPAN]
    return stepped
