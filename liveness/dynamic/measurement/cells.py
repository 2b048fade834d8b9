"""The aligned face in cells, and how unevenly they answer the screen.

How much answers differ from cell to cell, as measured, holds their errors: noise, and what a head that
turns while a colour is shown does to the light on it. The latter lasts as long as the colour, so that more
frames do not average it out. But the errors of two different steps have nothing to do with each other. So
only products of one step's answers with another's are summed: what is left of errors is zero on average, and
negative as often as not (cross-validated distances: Walther et al., NeuroImage 137, 2016).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.course import Appearance, light_at, number_at
from liveness.dynamic.measurement.drift import Drift, fit_drift
from liveness.dynamic.measurement.track import TrackView
from liveness.dynamic.sample import FlashSample

__all__ = ["ALL_ALIKE", "NO_ANSWER", "FaceCells", "Unevenness", "measure_unevenness", "read_cells"]

NO_ANSWER: Final = "no answer to compare parts of the face by"
ALL_ALIKE: Final = "the screen is nearly all the light there is, and every part follows it alike"
"""Why cells tell nothing when they are compared."""

_ROWS, _COLUMNS = slice(1, 15), slice(3, 13)
_SIZE = (14, 10)
_FEWEST_CELLS = 60
_MOSTLY_SEEN = 0.9
_FEWEST_STEPS = 3
_BLACK = 3e-4
"""Linear light: less is taken for as much, so that it has a logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCells:
    """The face's cells over the frames in which the screen's light was followed.

    Attributes:
        drift: What camera, hand and room did in these frames; its rows are theirs.
        screen: Shape (n, 3): the screen's linear light, cleared of drift.
        steps: Shape (n,): which step was on display, by its place; -1 while it changed.
        light: Shape (n, k, 3): linear light of each cell; where it is not seen, what it usually has.
        answers: Shape (n, k, 3): its logarithm, cleared of drift.
        places: Shape (k, 2): row and column of each cell.
    """

    drift: Drift
    screen: NDArray[np.float64]
    steps: NDArray[np.intp]
    light: NDArray[np.float64]
    answers: NDArray[np.float64]
    places: NDArray[np.intp]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``values``, shape (n, k, 3), without their mean and without what drift explains."""
        return _cleared(self.drift, values)

    def errors(self, drive: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard error of the share by which each cell follows ``drive``, shape (n, 3); shape (k,)."""
        power = float((drive**2).sum())
        shares = np.einsum("tc,tkc->k", drive, self.answers) / power
        rest = self.answers - shares[None, :, None] * drive[:, None, :]
        # Two frames make an independent one, as motion is slower than the frames.
        return np.asarray(np.sqrt(2 * (rest**2).sum(axis=(0, 2)) / len(rest) / power), np.float64)


@dataclass(frozen=True, slots=True)
class Unevenness:
    """How far cells answer by unlike shares.

    Attributes:
        variance: Of the shares around what was taken out; their errors are not in it, so it may be negative.
        error: Its standard error, by leaving out one step at a time (jackknife).
    """

    variance: float
    error: float


def read_cells(
    samples: Sequence[FlashSample], track: TrackView, shown: Sequence[Appearance], *, lag: float
) -> FaceCells | None:
    """The cells; ``None`` where too little of the face or too few frames are seen.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        shown: What the screen gave.
        lag: Of the whole face, seconds.
    """
    rows = np.flatnonzero(track.clean & (track.times >= shown[0].at + lag))
    drift = fit_drift(track, rows)
    if drift is None:
        return None
    patches = np.stack([samples[row].patch[_ROWS, _COLUMNS] for row in rows.tolist()]).reshape(
        len(rows), -1, 3
    )
    whole = np.isfinite(patches).all(axis=2).mean(axis=0) > _MOSTLY_SEEN
    if int(whole.sum()) < _FEWEST_CELLS:
        return None
    seen = patches[:, whole].astype(np.float64)
    known = np.isfinite(seen)
    light = seen if known.all() else np.where(known, seen, np.nanmean(seen, axis=0))
    times = track.times[rows] - lag
    return FaceCells(
        drift=drift,
        screen=drift.clear(light_at(shown, times, blur=track.frame_seconds)),
        steps=number_at(shown, times, margin=0.0),
        light=light,
        answers=_cleared(drift, np.log(np.maximum(light, _BLACK))),
        places=np.argwhere(whole.reshape(_SIZE)),
    )


def _cleared(drift: Drift, values: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = (values - values.mean(axis=0)).reshape(len(values), -1)
    return drift.clear(flat).reshape(values.shape)


def measure_unevenness(
    drive: NDArray[np.float64],
    answers: NDArray[np.float64],
    steps: NDArray[np.intp],
    curve: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> Unevenness | None:
    """How unevenly cells follow ``drive``; ``None`` where too few steps were shown.

    Args:
        drive: Shape (n, 3): the face's mean answer as the screen foretells it, cleared of drift.
        answers: Shape (n, k, 3): each cell's, cleared of drift.
        steps: See ``FaceCells.steps``.
        curve: Shape (k, m): over the cells; what it explains of their shares is taken out.
        weights: Shape (k,): of the cells.
    """
    numbers = np.unique(steps)
    if len(numbers) < _FEWEST_STEPS:
        return None
    roots = np.sqrt(weights)
    taken_out = np.linalg.qr(curve * roots[:, None])[0]
    parts, powers = [], []
    for number in numbers.tolist():
        at = steps == number
        part = np.einsum("tc,tkc->k", drive[at], answers[at]) * roots
        parts.append(part - taken_out @ (taken_out.T @ part))
        powers.append(float((drive[at] ** 2).sum()))
    products, power = np.stack(parts) @ np.stack(parts).T, np.array(powers)
    everybody = np.ones(len(power), bool)
    variance = _between(products, power, everybody, weights)
    if variance is None:
        return None
    without = []
    for number in range(len(power)):
        left = everybody.copy()
        left[number] = False
        if (one := _between(products, power, left, weights)) is not None:
            without.append(one)
    spread = np.array(without) - np.mean(without) if without else np.zeros(0)
    shrink = (len(without) - 1) / len(without) if without else 0.0
    return Unevenness(variance=variance, error=math.sqrt(shrink * float((spread**2).sum())))


def _between(
    products: NDArray[np.float64],
    power: NDArray[np.float64],
    kept: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> float | None:
    """The variance from products of different steps alone; ``None`` where only one of them has light."""
    own = products[np.ix_(kept, kept)]
    both = float(power[kept].sum() ** 2 - (power[kept] ** 2).sum())
    if both <= 0:
        return None
    return float(own.sum() - np.trace(own)) / both / float(weights.sum())
