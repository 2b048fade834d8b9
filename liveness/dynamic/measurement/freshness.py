"""Whether frames are fresh: leaps that no step commanded, the age of answers, and the two clocks.

**Leaps** are sudden changes of the face's colour. Those that the challenge did not command are counted.
Colours are measured, not brightness, because exposure and shadows do not change colours. Only a change of the
light changes the face's colour within a tenth of a second. If the screen did not change then, or changed in
another direction of colour, the leap is foreign: the frames are from the recording of another challenge, or a
television lights the face. A television also lights the room. Therefore leaps that the room shares do not
count, nor do those while the room is not visible. A leap of a single part of the face does not count either,
because that part moved away from its landmarks. If the room is hardly ever visible, all leaps are counted,
but prove no attack, because a television may be the cause.

**Ages.** The age of an answer (``answer_ages``) is measured by the server's clock alone. The device's capture
clock and the server's differ by an unknown, constant offset, which the fastest frame bounds. The additional
time of a frame is delay in the network, or time in which the frame was processed. Lateness alone proves
nothing. A step that appears before it was sent does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.track import Appearance, Sent, TrackView
from liveness.verdict import NEITHER, Signal, assessed, not_assessed

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
        foreign: The number of leaps that the screen did not cause: it changed otherwise, or not at all.
        room_seen: Whether the background was visible often enough to exclude leaps that the room shares.
    """

    all: int
    foreign: int
    room_seen: bool


def find_leaps(track: TrackView, shown: Sequence[Appearance], *, lag: float, settings: LeapSettings) -> Leaps:
    """Return the leaps of the whole face that exceed noise and are not shared by the room.

    Args:
        track: The scan's light.
        shown: The steps on the screen.
        lag: The face's delay after the screen, seconds, so that a late response does not count as foreign.
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
    """Return whether the screen changed at about this time, and its colour in about this direction."""
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
    """Return red and blue over green, as logarithms; shape (..., 2)."""
    return np.stack([light[..., 0] - light[..., 1], light[..., 2] - light[..., 1]], axis=-1)


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the frames after each time between two frames, less the mean of those before it."""
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])
    means = (sums[_SPAN:] - sums[:-_SPAN]) / _SPAN
    stepped: NDArray[np.float64] = means[_SPAN:] - means[:-_SPAN]
    return stepped


# The age of each answer: the time from sending a colour to the arrival of the first frame that shows it.
#
# Both times are the server's: when it hands the colour to the transport, and when it reads the frame from it.
# Delays inside the server, before the one or after the other, do not count. Nor do delays that the device
# cannot change: the network's time, and the time in which the device may not send the frame because the
# server has not granted more credit.
#
# The device's clock only orders the frames: it states between which of them the face changed, which the
# frames themselves show. A device that claims other times, for its frames or for the appearance of a colour,
# therefore does not make an answer younger.


def answer_ages(
    track: TrackView, sent: Sequence[Sent], shown: Sequence[Appearance], *, lag: float, round_trip: float
) -> dict[int, float]:
    """Return the age of the answer to each coloured step.

    It is the time from sending the step to the arrival of the first frame in which the face shows it, minus
    the measured round trip and wait for credit.

    Args:
        track: The scan's light, when its frames arrived, the measured round trip and the waits.
        lag: The face's delay after the screen, seconds. It selects the frame and is not subtracted.
        round_trip: The most that is subtracted for the round trip and the wait together, seconds. A device
            can lengthen both: it can delay all of its messages, and send frames until its credit is used up.

    Returns:
        Seconds, by the step's number; without the steps that no frame shows.
    """
    times = {one.step.number: one.at for one in sent}
    ages: dict[int, float] = {}
    for one in shown:
        row = int(np.searchsorted(track.times, one.at + lag))
        if one.step.bits > 0 and one.step.number in times and row < len(track.times):
            sent_at = times[one.step.number]
            since, until = track.waited[row].tolist()
            waited = max(0.0, until - max(since, sent_at)) if until > sent_at else 0.0
            ages[one.step.number] = (
                float(track.arrivals[row]) - sent_at - min(track.round_trip + waited, round_trip)
            )
    return ages


_NAME = "flash_freshness"
_LABEL = "Freshness"
_SLOW = 0.9
"""The quantile of the frames' transit times that represents the slow frames."""


@dataclass(frozen=True, slots=True)
class FreshnessSettings:
    """Lines of the freshness; times in seconds, scores 0..1.

    Attributes:
        oldest: The largest age of an answer that is verified (``answer_ages``): 0.35 for display and
            camera, and 0.1 from the capture of a frame to its sending, which the device protocol allows.
        round_trip: The most of the stream's round trip and of a wait for credit together that does not count
            for the age. A device may delay all of its messages, so that its network looks slow, and would
            gain all of it.
        early: By how much a claimed appearance may precede the sending of a step, because of rounded clocks.
        delay: The additional transit time of the slowest tenth of the frames above which the signal is not
            assessed; networks stall, which does not count against the person.
        soft: The difference from ``delay`` that changes the odds of the score by a factor of e.
        best: The highest score, for frames without delay.
        early_score: The score if a step is claimed to have appeared before it was sent.
    """

    oldest: float
    round_trip: float
    early: float
    delay: float
    soft: float
    best: float
    early_score: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """The measurements of the clocks; seconds.

    Attributes:
        ages: The ages of the answers to coloured steps, by the number of the step.
        delay: The 90th percentile of the frames' transit times, less that of the fastest frame.
        early: The largest time by which a claimed appearance precedes the earliest possible one.
    """

    ages: Mapping[int, float]
    delay: float
    early: float

    @property
    def age(self) -> float | None:
        """The median age; ``None`` without an answer."""
        return float(np.median(list(self.ages.values()))) if self.ages else None

    def late(self, oldest: float) -> frozenset[int]:
        """Return the numbers of the steps whose answers are older than ``oldest`` seconds."""
        return frozenset(number for number, age in self.ages.items() if age > oldest)


def measure_freshness(
    track: TrackView,
    sent: Sequence[Sent],
    shown: Sequence[Appearance],
    *,
    lag: float,
    settings: FreshnessSettings,
) -> Freshness:
    """Measure the ages, and compare the clocks; a track without frames counts as fresh."""
    if not len(track.times):
        return Freshness({}, 0.0, 0.0)
    journeys = track.arrivals - track.times
    fastest = float(journeys.min())
    return Freshness(
        ages=answer_ages(track, sent, shown, lag=lag, round_trip=settings.round_trip),
        delay=float(np.quantile(journeys, _SLOW)) - fastest,
        early=max((one.early for one in shown), default=0.0),
    )


def freshness_signal(freshness: Freshness, settings: FreshnessSettings) -> Signal:
    """Return the signal of freshness; it is not assessed for lateness alone."""
    age = freshness.age
    if age is None:
        return not_assessed(name=_NAME, label=_LABEL, reason="no step was measured")
    if freshness.early > settings.early:
        detail = f"a step is claimed to have appeared {1000 * freshness.early:.0f} ms before it was sent"
        return assessed(name=_NAME, label=_LABEL, score=settings.early_score, detail=detail)
    detail = (
        f"the response to a colour comes {1000 * age:.0f} ms after it was sent, without the network; frames "
        f"take up to {1000 * freshness.delay:.0f} ms more than the fastest"
    )
    if age > settings.oldest or freshness.delay > settings.delay:
        return not_assessed(name=_NAME, label=_LABEL, reason=detail + ": too slow to compare")
    score = max(NEITHER, settings.best / (1 + math.exp((freshness.delay - settings.delay) / settings.soft)))
    return assessed(name=_NAME, label=_LABEL, score=score, detail=detail)
