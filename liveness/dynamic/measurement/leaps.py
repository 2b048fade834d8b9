"""Sudden changes of the face's colour, and whether the challenge commanded them.

Colours, not brightness: exposure and shadows leave them alone, and in daylight nothing but another light
changes them within a tenth of a second. A face whose colour leaps when the screen's does not, or another way,
was lit by something else: by another challenge, when the picture was recorded, or by a television, which
lights the room as well. So leaps that the room shares do not count, nor do those where it is not seen, nor
those of a part of the face, which slipped from under its landmarks. Where the room is hardly ever seen they
are counted all the same, and call nobody an attacker: it may be a television.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.course import Appearance
from liveness.dynamic.measurement.track import TrackView

__all__ = ["LeapSettings", "Leaps", "find_leaps"]

_SPAN = 3
"""Frames before a place, and after it, whose means are compared."""
_FEWEST = 4 * _SPAN
"""Undisturbed frames in which leaps are looked for."""
_BEND_VARIANCE = 6
"""Of second differences, over that of independent errors: 1 + 4 + 1."""


@dataclass(frozen=True, slots=True)
class LeapSettings:
    """Lines of the leaps; sizes as logarithms of red and blue over green.

    Attributes:
        least: Size from which a change is a leap.
        clear: How many times the noise from frame to frame it must be.
        alike: Share of it that every part of the face must change by, so that it is none of a part that
            slipped from under its landmarks.
        shared: Share of it from which the room has it as well.
        least_seen: Share of the places between frames around which the background must be seen.
        earliest: From how long after a change of the screen, and the lag, its leap comes, seconds.
        latest: Until how long after it, seconds.
        least_along: Cosine between a leap and the change that caused it: rooms, skin and cameras bend
            colours.
    """

    least: float
    clear: float
    alike: float
    shared: float
    least_seen: float
    earliest: float
    latest: float
    least_along: float


@dataclass(frozen=True, slots=True)
class Leaps:
    """Leaps of the face's colour.

    Attributes:
        all: How many there are.
        foreign: Those that the screen did not cause: it changed otherwise, or not at all.
        room_seen: Whether the background was seen often enough to tell which leaps the room shares.
    """

    all: int
    foreign: int
    room_seen: bool


def find_leaps(track: TrackView, shown: Sequence[Appearance], *, lag: float, settings: LeapSettings) -> Leaps:
    """Leaps of all of the face that are clear of noise, and not shared by the room.

    Args:
        track: The scan's light.
        shown: What the screen gave.
        lag: By how much the face follows it, seconds, so that a late answer is not foreign for being late.
        settings: Lines.
    """
    rows = np.flatnonzero(track.clean)
    if len(rows) < _FEWEST:
        return Leaps(0, 0, room_seen=False)
    skin = _colour(np.nan_to_num(track.skin[rows]))
    room = _colour(np.nan_to_num(track.background[rows]))
    steps = _steps(skin)
    middle = np.median(steps, axis=1)
    along = (steps * middle[:, None]).sum(axis=2) / np.maximum((middle**2).sum(axis=1), 1e-12)[:, None]
    bends = np.abs(np.diff(np.median(skin, axis=1), n=2, axis=0)).sum(axis=1)
    noise = float(np.median(bends)) / math.sqrt(_BEND_VARIANCE)
    sizes = np.where(along.min(axis=1) >= settings.alike, np.sqrt((middle**2).sum(axis=1)), 0.0)
    shared = np.sqrt((_steps(room) ** 2).sum(axis=1)) > settings.shared * sizes
    beside = np.isfinite(track.background[rows]).all(axis=1)
    told = np.lib.stride_tricks.sliding_window_view(beside, 2 * _SPAN).all(axis=1)
    room_seen = bool(told.mean() >= settings.least_seen)
    counted = told & ~shared if room_seen else ~(told & shared)
    line = max(settings.least, settings.clear * noise)
    times = (track.times[rows][_SPAN - 1 : -_SPAN] + track.times[rows][_SPAN : len(rows) - _SPAN + 1]) / 2
    count = foreign = 0
    for place in np.flatnonzero((sizes >= line) & counted).tolist():
        if sizes[place] < sizes[max(0, place - _SPAN) : place + _SPAN + 1].max():
            continue
        count += 1
        foreign += not _commanded(float(times[place]) - lag, middle[place], shown, settings)
    return Leaps(count, foreign, room_seen=room_seen)


def _commanded(
    time: float, leap: NDArray[np.float64], shown: Sequence[Appearance], settings: LeapSettings
) -> bool:
    """Whether the screen changed about then, and its colour about that way."""
    for before, one in pairwise(shown):
        late = time - one.at
        if not settings.earliest <= late <= settings.latest + one.step.transition_seconds:
            continue
        change = _colour(one.step.colour.linear - before.step.colour.linear)
        size = float(np.linalg.norm(change) * np.linalg.norm(leap))
        # Between two greys the face changes towards the colour that the room lacks, whichever that is.
        if float(change @ leap) >= settings.least_along * size:
            return True
    return False


def _colour(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Red and blue over green, as logarithms; shape (..., 2)."""
    return np.stack([light[..., 0] - light[..., 1], light[..., 2] - light[..., 1]], axis=-1)


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At every place between frames: the mean of the next frames without that of the last."""
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])
    means = (sums[_SPAN:] - sums[:-_SPAN]) / _SPAN
    stepped: NDArray[np.float64] = means[_SPAN:] - means[:-_SPAN]
    return stepped
