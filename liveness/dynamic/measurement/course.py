"""The screen's light over time: the commanded steps at the times at which they appeared."""

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
    """A step that the server sent.

    Attributes:
        step: The step.
        at: When it was sent, seconds on the server's monotonic clock; when it was drawn, until that is known.
        after_capture: The capture time of the last frame that had arrived by then, seconds on the device's
            clock; the step cannot have been on display before. Minus infinity without such a frame.
    """

    step: ColourStep
    at: float
    after_capture: float


@dataclass(frozen=True, slots=True)
class Appearance:
    """A step that a frame claims to show.

    Attributes:
        step: The step.
        at: The time of its appearance, seconds on the device's clock: the claim, corrected by the order of
            events.
        early: By how much the claim precedes the time at which the step can have appeared, seconds; 0 for an
            honest device.
    """

    step: ColourStep
    at: float
    early: float


def appearances(track: TrackView, sent: Sequence[Sent]) -> tuple[Appearance, ...]:
    """Returns when each step appeared, as the device claims and the order of events allows.

    A step cannot appear before the last frame that had arrived when it was sent, nor before its predecessor,
    nor after the first frame that claims it. Steps that no frame claims are left out.
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
    """Returns the screen's light at ``times``.

    Args:
        shown: The steps in order of appearance; at least one.
        times: Shape (..., t), seconds on the device's clock.
        blur: The time over which exposure and refresh blur a change, seconds.

    Returns:
        Shape (..., t, 3), linear (red, green, blue), 0..1; the first step's light before the first step.
    """
    colours = np.array([one.step.colour.linear for one in shown])
    starts = np.array([one.at for one in shown])
    lengths = np.array([one.step.transition_seconds for one in shown]) + max(blur, 1e-6)
    into = np.clip((times[..., None] - starts[1:]) / lengths[1:], 0, 1)
    light: NDArray[np.float64] = colours[0] + into @ np.diff(colours, axis=0)
    return light


def number_at(shown: Sequence[Appearance], times: NDArray[np.float64], *, margin: float) -> NDArray[np.intp]:
    """Returns the index in ``shown`` of the step that fills the screen at each of ``times``.

    Args:
        shown: The steps in order of appearance; at least one.
        times: Shape (t,), seconds on the device's clock.
        margin: The time after each change that counts as part of the change, seconds. Half of this time
            before the change counts as part of it, too.

    Returns:
        Shape (t,); -1 before the first step and during changes.
    """
    starts = np.array([one.at for one in shown])
    lengths = np.array([one.step.transition_seconds for one in shown])
    place = np.searchsorted(starts, times, side="right") - 1
    settled = np.maximum(place, 0)
    changes = times < starts[settled] + lengths[settled] + margin
    follows = np.minimum(settled + 1, len(starts) - 1)
    ends = (follows > settled) & (times > starts[follows] - margin / 2)
    return np.where((place < 0) | changes | ends, -1, place)
