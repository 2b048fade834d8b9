"""Finds leaps: sudden changes of the face's colour. Counts those that the challenge did not command.

Colours are measured, not brightness, because exposure and shadows do not change colours. Only a change of the
light changes the face's colour within a tenth of a second. If the screen did not change then, or changed in
another direction of colour, the leap is foreign: the frames are from the recording of another challenge, or a
television lights the face. A television also lights the room. Therefore leaps that the room shares do not
count, nor do those while the room is not visible. A leap of a single part of the face does not count either,
because that part moved away from its landmarks. If the room is hardly ever visible, all leaps are counted,
but prove no attack, because a television may be the cause.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.track import Appearance, TrackView

_SPAN = 3
"""The number of frames before and after a place whose means are compared."""
_FEWEST = 4 * _SPAN
"""The least number of undisturbed frames in which leaps are searched."""
_BEND_VARIANCE = 6
"""The variance of second differences over that of independent errors: 1 + 4 + 1."""


@dataclass(frozen=True, slots=True)
class LeapSettings:
    """Lines of the leaps; sizes as logarithms of red and blue over green.

    Attributes:
        least: The size from which a change is a leap.
        clear: The least size over the noise from frame to frame.
        alike: The share of the leap by which every part of the face must change. This excludes leaps of a
            single part.
        shared: The share of the leap by which the room must change for the leap to count as shared.
        least_seen: The share of the times between two frames at which the background must be visible.
        earliest: The earliest time of a leap after a change of the screen, plus lag, seconds.
        latest: The latest time after it, seconds.
        least_along: The least cosine between a leap and the change that caused it, because rooms, skin and
            cameras distort colours.
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
        all: The number of leaps.
        foreign: The number of leaps that the screen did not cause: it changed otherwise, or not at all.
        room_seen: Whether the background was visible often enough to exclude leaps that the room shares.
    """

    all: int
    foreign: int
    room_seen: bool


def find_leaps(track: TrackView, shown: Sequence[Appearance], *, lag: float, settings: LeapSettings) -> Leaps:
    """Returns the leaps of the whole face that exceed noise and are not shared by the room.

    Args:
        track: The scan's light.
        shown: The steps on the screen.
        lag: The face's delay after the screen, seconds, so that a late response does not count as foreign.
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
    visible = np.lib.stride_tricks.sliding_window_view(beside, 2 * _SPAN).all(axis=1)
    room_seen = bool(visible.mean() >= settings.least_seen)
    counted = visible & ~shared if room_seen else ~(visible & shared)
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
    """Returns whether the screen changed at about this time, and its colour in about this direction."""
    for before, one in pairwise(shown):
        late = time - one.at
        if not settings.earliest <= late <= settings.latest + one.step.transition_seconds:
            continue
        change = _colour(one.step.colour.linear - before.step.colour.linear)
        size = float(np.linalg.norm(change) * np.linalg.norm(leap))
        # Between two greys the face changes towards the colour that the room's light lacks: any direction
        # fits.
        if float(change @ leap) >= settings.least_along * size:
            return True
    return False


def _colour(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns red and blue over green, as logarithms; shape (..., 2)."""
    return np.stack([light[..., 0] - light[..., 1], light[..., 2] - light[..., 1]], axis=-1)


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean of the frames after each time between two frames, less the mean of those before it."""
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])
    means = (sums[_SPAN:] - sums[:-_SPAN]) / _SPAN
    stepped: NDArray[np.float64] = means[_SPAN:] - means[:-_SPAN]
    return stepped
