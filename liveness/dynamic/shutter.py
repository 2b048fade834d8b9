"""The edge that a rolling shutter leaves in the frame during which the colour changed.

A sensor reads its rows one after another within 10 to 30 ms. A colour that changes meanwhile is in the rows
read later and not in those read before, always in the same order. Pictures that were blended as a whole show
no such edge. A front camera often lies on its side in the phone, and then rows are the picture's columns, so
a missing edge says nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from liveness.dynamic.course import Appearance
from liveness.dynamic.response import Response
from liveness.dynamic.sample import ROWS, FlashSample
from liveness.dynamic.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["ShutterFinding", "ShutterSettings", "measure_shutter", "shutter_signal"]

_NAME = "flash_shutter"
_LABEL = "Rolling shutter"


@dataclass(frozen=True, slots=True)
class ShutterSettings:
    """Lines of the shutter.

    Attributes:
        fewest: Changes caught in a frame from which it can be told.
        clear: Mean slope over its standard error from which rows are read in order.
    """

    fewest: int = 3
    clear: float = 3.0


@dataclass(frozen=True, slots=True)
class ShutterFinding:
    """How the rows followed changes caught in a frame.

    Attributes:
        caught: Frames in which a change was half done.
        slope: Mean difference of the answer between the face's last row and its first; 1 is all of it.
        error: Its standard error.
    """

    caught: int
    slope: float
    error: float


def measure_shutter(
    samples: Sequence[FlashSample],
    track: TrackView,
    shown: Sequence[Appearance],
    response: Response,
    *,
    lag: float,
) -> ShutterFinding:
    """Look at the frames in which a flat change was half done; see ``shape.measure_shape``."""
    slopes: list[float] = []
    centred = np.linspace(-0.5, 0.5, ROWS)
    for before, one in pairwise(shown):
        if one.step.transition_seconds > 0:
            continue
        change = (one.step.colour.linear - before.step.colour.linear) @ response.matrix.T
        power = float(change @ change)
        near = np.flatnonzero(track.clean & (np.abs(track.times - one.at - lag) < 0.12))
        if power <= 0 or len(near) < 5:
            continue
        rows = np.stack([samples[row].face_rows for row in near.tolist()]).astype(np.float64)
        rows = np.where(rows > 3e-4, rows, np.nan)
        light = np.log(rows) @ change / power
        first, last = light[0], light[-1]
        span = last - first
        if not np.isfinite(span).all() or float(np.median(span)) < 0.5:
            continue
        done = (light[1:-1] - first) / np.where(np.abs(span) > 0.3, span, np.nan)
        for frame in done:
            seen = np.isfinite(frame)
            if seen.sum() >= ROWS // 2 and 0.15 < float(np.mean(frame[seen])) < 0.85:
                slopes.append(float(np.polyfit(centred[seen], frame[seen], 1)[0]))
    if len(slopes) < 2:
        return ShutterFinding(len(slopes), 0.0, math.inf)
    error = float(np.std(slopes, ddof=1)) / math.sqrt(len(slopes))
    return ShutterFinding(len(slopes), float(np.mean(slopes)), max(error, 1e-3))


def shutter_signal(finding: ShutterFinding, settings: ShutterSettings) -> Signal:
    """An edge that is seen speaks for a camera; one that is not says nothing."""
    if finding.caught < settings.fewest or abs(finding.slope) < settings.clear * finding.error:
        reason = f"no edge between rows in {finding.caught} frames that caught a change"
        return not_assessed(name=_NAME, label=_LABEL, reason=reason)
    detail = f"rows follow each other in {finding.caught} frames that caught a change, as a camera reads them"
    return assessed(name=_NAME, label=_LABEL, score=0.8, detail=detail)
