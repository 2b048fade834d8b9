"""What the screen gave over time: the commanded steps at the times at which they appeared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.steps import ColourStep
from liveness.dynamic.measurement.track import TrackView

__all__ = ["Appearance", "Sent", "appearances", "light_at", "number_at"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A step as it left the server.

    Attributes:
        step: What it is.
        at: When it was sent, seconds of the server's monotonic clock.
        after_capture: Capture time of the last frame that had arrived by then, seconds of the device's
            clock: the step cannot have been on display before. Minus infinity where none had.
    """

    step: ColourStep
    at: float
    after_capture: float


@dataclass(frozen=True, slots=True)
class Appearance:
    """A step that a frame claims to show.

    Attributes:
        step: What it is.
        at: When it appeared as far as the claim can be believed, seconds on the device's clock.
        early: By how much the device's claim lies before that, which no honest device's does; seconds.
    """

    step: ColourStep
    at: float
    early: float


def appearances(track: TrackView, sent: Sequence[Sent]) -> tuple[Appearance, ...]:
    """When each step appeared, as the device claims and the order of events allows.

    A claim cannot be before the last frame that had arrived when the step was sent, nor before the
    step's predecessor, nor after the frame that makes it. A step that no frame claims is left out.
    """
    found: list[Appearance] = []
    earliest = -math.inf
    for one in sent:
        rows = np.flatnonzero(track.claims == one.step.number)
        if not len(rows):
            continue
        first = float(track.times[rows[0]])
        claimed = track.since[rows]
        claimed = claimed[np.isfinite(claimed)]
        claim = float(claimed[0]) if len(claimed) else first
        at = min(max(claim, one.after_capture, earliest), first)
        if at <= earliest:
            continue
        found.append(Appearance(step=one.step, at=at, early=max(0.0, one.after_capture - claim)))
        earliest = at
    return tuple(found)


def light_at(
    shown: Sequence[Appearance], times: NDArray[np.float64], *, blur: float = 0.0
) -> NDArray[np.float64]:
    """The screen's light at ``times``.

    Args:
        shown: In order of appearance; one at least.
        times: Shape (..., t), seconds on the device's clock.
        blur: Over how long a change is smeared, by exposure and refresh, seconds.

    Returns:
        Shape (..., t, 3), linear (red, green, blue), 0..1; before the first step, the first step's.
    """
    colours = np.array([one.step.colour.linear for one in shown])
    starts = np.array([one.at for one in shown])
    lengths = np.array([one.step.transition_seconds for one in shown]) + max(blur, 1e-6)
    into = np.clip((times[..., None] - starts[1:]) / lengths[1:], 0, 1)
    light: NDArray[np.float64] = colours[0] + into @ np.diff(colours, axis=0)
    return light


def number_at(shown: Sequence[Appearance], times: NDArray[np.float64], *, margin: float) -> NDArray[np.intp]:
    """Which of ``shown`` fills the screen at ``times``, by its place; -1 before, and while it changes.

    Args:
        shown: In order of appearance; one at least.
        times: Shape (t,), seconds on the device's clock.
        margin: How much before and after each change does not count, seconds.
    """
    starts = np.array([one.at for one in shown])
    lengths = np.array([one.step.transition_seconds for one in shown])
    place = np.searchsorted(starts, times, side="right") - 1
    settled = np.maximum(place, 0)
    changes = times < starts[settled] + lengths[settled] + margin
    follows = np.minimum(settled + 1, len(starts) - 1)
    ends = (follows > settled) & (times > starts[follows] - margin / 2)
    return np.where((place < 0) | changes | ends, -1, place)
