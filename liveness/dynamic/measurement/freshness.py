"""The signal of fresh frames: the device's capture clock compared with the server's.

The two clocks differ by an unknown, constant offset, which the fastest frame bounds. The additional time of a
frame is delay in the network, or time in which the frame was processed. Lateness alone proves nothing. A step
that appears before it was sent does.
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
"""The neutral score."""
_SLOW = 0.9
"""The quantile of the frames' transit times that represents the slow frames."""


@dataclass(frozen=True, slots=True)
class FreshnessSettings:
    """Lines of the freshness; times in seconds, scores 0..1.

    Attributes:
        latest: The longest time from sending a step to the frame that shows it, without the fastest frame's
            transit time; genuine phones need up to 0.35, and networks add more.
        early: By how much a claimed appearance may precede the sending of a step, because of rounded clocks.
        delay: The additional transit time of the slowest tenth of the frames above which the signal is not
            assessed; networks stall, which does not count against the person.
        soft: The difference from ``delay`` that changes the odds of the score by a factor of e.
        best: The highest score, for frames without delay.
        early_score: The score if a step is claimed to have appeared before it was sent.
    """

    latest: float
    early: float
    delay: float
    soft: float
    best: float
    early_score: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """The measurements of the clocks; seconds.

    Attributes:
        answer: The median time from sending a step to the arrival of a frame that shows it; ``None`` without
            steps.
        delay: The 90th percentile of the frames' transit times, less that of the fastest frame.
        early: The largest time by which a claimed appearance precedes the earliest possible one.
    """

    answer: float | None
    delay: float
    early: float

    @property
    def late(self) -> float:
        """``answer``; 0 if it is ``None``."""
        return self.answer or 0.0


def measure_freshness(
    track: TrackView, sent: Sequence[Sent], shown: Sequence[Appearance], *, lag: float
) -> Freshness:
    """Compares the clocks; a track without frames counts as fresh."""
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
    """Returns the signal of freshness; it is not assessed for lateness alone."""
    if freshness.answer is None:
        return not_assessed(name=_NAME, label=_LABEL, reason="no step was measured")
    if freshness.early > settings.early:
        detail = f"a step is claimed to have appeared {1000 * freshness.early:.0f} ms before it was sent"
        return assessed(name=_NAME, label=_LABEL, score=settings.early_score, detail=detail)
    detail = (
        f"the response to a colour comes {1000 * freshness.answer:.0f} ms after it was sent; frames take up "
        f"to {1000 * freshness.delay:.0f} ms more than the fastest"
    )
    if freshness.late > settings.latest or freshness.delay > settings.delay:
        return not_assessed(name=_NAME, label=_LABEL, reason=detail + ": too slow to compare")
    score = max(_NEITHER, settings.best / (1 + math.exp((freshness.delay - settings.delay) / settings.soft)))
    return assessed(name=_NAME, label=_LABEL, score=score, detail=detail)
