"""Colours that scroll in: the answer grows for as long as the scroll takes, from the forehead down.

While a colour scrolls down, the screen's light comes from above first. A face's forehead, which is turned up,
answers a little before its chin; software that adds one colour to a picture lights both at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.course import Appearance
from liveness.dynamic.looks import LEAST_LEFT, deviations
from liveness.dynamic.response import Response
from liveness.dynamic.sample import Region
from liveness.dynamic.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["ScrollFinding", "ScrollSettings", "measure_scroll", "scroll_signal"]

_NAME = "flash_scroll"
_LABEL = "Scrolling colours"
_LENGTHS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])
_FEWEST_FRAMES = 8
_FEWEST_OVER = 3
"""Frames over which a scroll must go, or it looks like a jump."""


@dataclass(frozen=True, slots=True)
class ScrollSettings:
    """Lines of the scroll.

    Attributes:
        least_precision: Standard error of ``ScrollFinding.travel`` above which it is not told.
    """

    least_precision: float = 0.04


@dataclass(frozen=True, slots=True)
class ScrollFinding:
    """How the scrolls were answered.

    Attributes:
        grown: Scrolls whose answer grew as they did.
        jumped: Scrolls whose answer came at once.
        travel: How much later the chin answered than the forehead, as a share of the scroll's length;
            ``None`` where it could not be told.
        travel_error: Its standard error.
    """

    grown: int
    jumped: int
    travel: float | None
    travel_error: float


def measure_scroll(
    track: TrackView, shown: Sequence[Appearance], response: Response, *, lag: float
) -> ScrollFinding:
    """Measure every scroll of the scan."""
    grown = jumped = 0
    travels: list[float] = []
    for before, one in pairwise(shown):
        length = one.step.transition_seconds
        change = (one.step.colour.linear - before.step.colour.linear) @ response.matrix.T
        power = float(change @ change)
        if length <= 0 or power <= 0 or length < _FEWEST_OVER * track.frame_seconds:
            continue
        following = [other.at for other in shown if other.at > one.at]
        end = min([one.at + length + one.step.hold_seconds, *following]) + lag
        start = max(one.at - 0.3, before.at + before.step.transition_seconds) + lag
        rows = np.flatnonzero(track.clean & (track.times > start) & (track.times < end - 0.03))
        if len(rows) < _FEWEST_FRAMES:
            continue
        times = track.times[rows] - one.at - lag
        within = deviations(track.looks[rows])
        ramp = _ramp_length(times, track.face[rows] @ change / power, within, frame=track.frame_seconds)
        if ramp is None:
            continue
        if ramp >= length / 2:
            grown += 1
        else:
            jumped += 1
        travel = _travel(track, rows, times, change, length)
        if travel is not None:
            travels.append(travel)
    if not travels:
        return ScrollFinding(grown, jumped, None, math.inf)
    error = float(np.std(travels, ddof=1)) / math.sqrt(len(travels)) if len(travels) > 1 else math.inf
    return ScrollFinding(grown, jumped, float(np.mean(travels)), error)


def scroll_signal(finding: ScrollFinding, settings: ScrollSettings) -> Signal:
    """What the scrolls say."""
    told = finding.grown + finding.jumped
    if told == 0:
        return not_assessed(name=_NAME, label=_LABEL, reason="no colour scrolled in, or none clearly enough")
    score = (finding.grown + 0.5) / (told + 1)
    detail = f"{finding.grown} of {told} scrolls were answered gradually"
    if finding.travel is not None and finding.travel_error <= settings.least_precision:
        detail += f"; the chin answered {100 * finding.travel:.0f} % of a scroll after the forehead"
    return assessed(name=_NAME, label=_LABEL, score=score, detail=detail)


def _ramp_length(
    times: NDArray[np.float64],
    progress: NDArray[np.float64],
    within: NDArray[np.float64],
    *,
    frame: float,
) -> float | None:
    """How long the answer grew, seconds: the ramp fitting best ``within`` looks; ``None`` where none fits."""
    shifts = np.arange(-0.1, 0.101, 0.02)
    starts, lengths = (grid.ravel() for grid in np.meshgrid(shifts, _LENGTHS))
    ramps = np.clip((times[None] - starts[:, None]) / (lengths[:, None] + frame), 0, 1) @ within
    values = within @ progress
    power = np.einsum("ij,ij->i", ramps, ramps)
    cross = ramps @ values
    fits = (cross > LEAST_LEFT * power) & (power > 0.1)
    gains = np.where(fits, cross**2 / np.maximum(power, 1e-9), 0.0)
    best = int(np.argmax(gains))
    total = float(values @ values)
    return float(lengths[best]) if total > 0 and gains[best] >= 0.7 * total else None


def _travel(
    track: TrackView,
    rows: NDArray[np.intp],
    times: NDArray[np.float64],
    change: NDArray[np.float64],
    length: float,
) -> float | None:
    """How much later the chin's answer has its middle than the forehead's, as a share of the scroll."""
    middles: list[float] = []
    for region in (Region.FOREHEAD, Region.CHIN):
        answer = track.skin[rows, region] @ change
        before, after = times < 0, times > length
        if not np.isfinite(answer).all() or before.sum() < 2 or after.sum() < 2:
            return None
        low, high = float(answer[before].mean()), float(answer[after].mean())
        if high - low <= 0:
            return None
        missing = 1 - (answer - low) / (high - low)
        middles.append(float(np.trapezoid(missing, times)))
    return (middles[1] - middles[0]) / length
