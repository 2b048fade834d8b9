"""The signal of fresh frames: the age of the answers, and the device's capture clock against the server's.

The age of an answer (``answer_ages``) is measured by the server's clock alone. The two clocks differ by an
unknown, constant offset, which the fastest frame bounds. The additional time of a frame is delay in the
network, or time in which the frame was processed. Lateness alone proves nothing. A step that appears before
it was sent does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.measurement.track import Appearance, Sent, TrackView
from liveness.signal import NEITHER, Signal, assessed, not_assessed

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
    """Returns the age of the answer to each coloured step.

    It is the time from sending the step to the arrival of the first frame in which the face shows it, minus
    the measured round trip and wait for credit.

    Args:
        track: The scan's light, when its frames arrived, the measured round trip and the waits.
        sent: The steps that were sent.
        shown: The steps on the screen.
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
        """Returns the numbers of the steps whose answers are older than ``oldest`` seconds."""
        return frozenset(number for number, age in self.ages.items() if age > oldest)


def measure_freshness(
    track: TrackView,
    sent: Sequence[Sent],
    shown: Sequence[Appearance],
    *,
    lag: float,
    settings: FreshnessSettings,
) -> Freshness:
    """Measures the ages, and compares the clocks; a track without frames counts as fresh."""
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
    """Returns the signal of freshness; it is not assessed for lateness alone."""
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
