"""The signal of fresh frames: the age of the answers, and the device's capture clock against the server's.

The age of an answer (``age``) is measured by the server's clock alone. The two clocks differ by an unknown,
constant offset, which the fastest frame bounds. The additional time of a frame is delay in the network, or
time in which the frame was processed. Lateness alone proves nothing. A step that appears before it was sent
does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.measurement.age import answer_ages
from liveness.dynamic.measurement.course import Appearance, Sent
from liveness.dynamic.measurement.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["Freshness", "FreshnessSettings", "freshness_signal", "measure_freshness"]

_NAME = "flash_freshness"
_LABEL = "Freshness"
_NEITHER = 0.5
"""The neutral score."""
_SLOW = 0.9
"""The quantile of the frames' transit times that represents the slow frames."""


@dataclass(frozen=True, slots=True)
class FreshnessSettings:
    """Lines of the freshness; times in seconds, scores 0..1.

    Attributes:
        oldest: The largest age of an answer that is verified (``age.answer_ages``): 0.35 for display and
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
    score = max(_NEITHER, settings.best / (1 + math.exp((freshness.delay - settings.delay) / settings.soft)))
    return assessed(name=_NAME, label=_LABEL, score=score, detail=detail)
