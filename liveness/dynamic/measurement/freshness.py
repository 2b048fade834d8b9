"""Whether frames are as fresh as they say: the device's capture clock against the server's.

The two clocks differ by an unknown, constant offset; the fastest frame bounds it. What a frame took beyond
that is delay in the network, or time in which somebody worked on it. Lateness alone proves nothing. That a
step appeared before it was sent does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveness.dynamic.measurement.course import Appearance, Sent
from liveness.dynamic.measurement.track import TrackView
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["Freshness", "FreshnessSettings", "freshness_signal", "measure_freshness"]

_NAME = "flash_freshness"
_LABEL = "Freshness"
_NEITHER = 0.5
"""The score that speaks for neither side."""
_SLOW = 0.9
"""Quantile of the frames' journeys that stands for the slow ones."""


@dataclass(frozen=True, slots=True)
class FreshnessSettings:
    """Lines of the freshness; times in seconds, scores 0..1.

    Attributes:
        latest: Longest time from sending a step to the frame that shows it, on the device's clock and
            beyond the fastest frame's journey; genuine phones need up to 0.35, networks add more.
        early: By how much a step may be claimed to have appeared before it was sent: rounding of clocks.
        delay: Time of the slowest tenth of the frames beyond the fastest, above which nothing can be told:
            networks stall, and that speaks against nobody.
        soft: Delay beyond ``delay``, or short of it, that changes the score's odds by a factor of e.
        best: Score of frames that come without delay.
        early_score: Score where a step is claimed to have appeared before it was sent.
    """

    latest: float
    early: float
    delay: float
    soft: float
    best: float
    early_score: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """What the clocks say; seconds.

    Attributes:
        answer: Median time from sending a step to the frame that shows it; ``None`` without steps.
        delay: Time of the slowest tenth of the frames beyond the fastest.
        early: By how much the device claims that a step appeared before it can have, at worst.
    """

    answer: float | None
    delay: float
    early: float

    @property
    def late(self) -> float:
        """``answer``, or 0."""
        return self.answer or 0.0


def measure_freshness(
    track: TrackView, sent: Sequence[Sent], shown: Sequence[Appearance], *, lag: float
) -> Freshness:
    """Compare the clocks; a track without frames is fresh."""
    if not len(track.times):
        return Freshness(None, 0.0, 0.0)
    journeys = track.arrivals - track.times
    fastest = float(journeys.min())
    times = {one.step.number: one.at for one in sent}
    answers = [one.at + lag + fastest - times[one.step.number] for one in shown if one.step.number in times]
    return Freshness(
        answer=float(np.median(answers)) if answers else None,
        delay=float(np.quantile(journeys, _SLOW)) - fastest,
        early=max((one.early for one in shown), default=0.0),
    )


def freshness_signal(freshness: Freshness, settings: FreshnessSettings) -> Signal:
    """What the clocks say; lateness alone says nothing."""
    if freshness.answer is None:
        return not_assessed(name=_NAME, label=_LABEL, reason="no step was seen")
    if freshness.early > settings.early:
        detail = f"a step is said to have appeared {1000 * freshness.early:.0f} ms before it was sent"
        return assessed(name=_NAME, label=_LABEL, score=settings.early_score, detail=detail)
    detail = (
        f"a colour is answered {1000 * freshness.answer:.0f} ms after it was sent; frames take up to "
        f"{1000 * freshness.delay:.0f} ms more than the fastest"
    )
    if freshness.late > settings.latest or freshness.delay > settings.delay:
        return not_assessed(name=_NAME, label=_LABEL, reason=detail + ": too slow to tell")
    score = max(_NEITHER, settings.best / (1 + math.exp((freshness.delay - settings.delay) / settings.soft)))
    return assessed(name=_NAME, label=_LABEL, score=score, detail=detail)
