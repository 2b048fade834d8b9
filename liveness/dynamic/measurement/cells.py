"""The cells of the aligned face, and how unevenly they respond to the screen.

The measured differences between cells include errors: noise, and the change of light on a head that turns
while a colour is shown. The latter lasts as long as the colour, so more frames do not average it out. But the
errors of different steps are independent. Therefore only products of the responses to two different steps are
summed, in which the errors have mean zero (cross-validated distances: Walther et al., NeuroImage 137, 2016).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.drift import Drift, fit_drift
from liveness.dynamic.measurement.track import Appearance, TrackView, light_at, number_at
from liveness.dynamic.sample import FlashSample, encode

NO_ANSWER: Final = "no response by which parts of the face can be compared"
ALL_ALIKE: Final = "the screen is nearly all the light there is, and every part responds alike"
"""The reasons why the comparison of cells is not assessed."""

_ROWS, _COLUMNS = slice(1, 15), slice(3, 13)
_SIZE = (14, 10)
_FEWEST_CELLS = 60
_MOSTLY_SEEN = 0.9
_FEWEST_STEPS = 3
_BLACK = 3e-4
"""The least linear light. Less counts as this value, so that it has a logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCells:
    """The face's cells over the frames in which the screen's light was measured.

    Attributes:
        drift: The drift that camera, hand and room cause in these frames, which are its rows.
        screen: Shape (n, 3): the screen's linear light, cleared of drift.
        steps: Shape (n,): the step on display, as its place in the list of steps; -1 during a change.
        light: Shape (n, k, 3): the linear light of each cell; its mean over time where it was not measured.
        answers: Shape (n, k, 3): the logarithm of ``light``, cleared of drift.
        places: Shape (k, 2): row and column of each cell.
    """

    drift: Drift
    screen: NDArray[np.float64]
    steps: NDArray[np.intp]
    light: NDArray[np.float64]
    answers: NDArray[np.float64]
    places: NDArray[np.intp]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns ``values``, shape (n, k, 3), without their mean and their drift."""
        return _cleared(self.drift, values)

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns how the cells' 8-bit values change, and the part of their mean that the screen explains.

        Both are cleared of drift; shapes (n, k, 3) and (n, 3).
        """
        changes = self.clear(encoded_values(self.light))
        drive = self.screen @ np.linalg.lstsq(self.screen, changes.mean(axis=1), rcond=None)[0]
        return changes, drive

    def errors(
        self, drive: NDArray[np.float64], answers: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Returns the standard error of each cell's response to ``drive``; shape (k,).

        Args:
            drive: Shape (n, 3); not 0 everywhere.
            answers: Shape (n, k, 3), cleared of drift; ``self.answers`` if ``None``.
        """
        seen = self.answers if answers is None else answers
        power = float((drive**2).sum())
        shares = np.einsum("tc,tkc->k", drive, seen) / power
        rest = seen - shares[None, :, None] * drive[:, None, :]
        # Two frames count as one independent frame, because motion is slower than the frames.
        return np.asarray(np.sqrt(2 * (rest**2).sum(axis=(0, 2)) / len(rest) / power), np.float64)


@dataclass(frozen=True, slots=True)
class Unevenness:
    """The unevenness of the cells' responses.

    Attributes:
        variance: The variance of the responses around the removed curve. Because errors are removed, it may
            be negative.
        error: The standard error of ``variance``, by leaving out one step at a time (jackknife).
    """

    variance: float
    error: float


def encoded_values(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the 8-bit sRGB values (IEC 61966-2-1), 0..255, of linear light, 0..1."""
    return 255 * encode(np.clip(light, 0.0, 1.0))


def read_cells(
    samples: Sequence[FlashSample], track: TrackView, shown: Sequence[Appearance], *, lag: float
) -> FaceCells | None:
    """Returns the cells; ``None`` if too little of the face or too few frames were measured.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        shown: The steps on the screen.
        lag: The lag of the whole face, seconds.
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
    """Returns how unevenly cells respond to ``drive``; ``None`` if too few steps were shown.

    Args:
        drive: Shape (n, 3): the face's mean response that the screen predicts, cleared of drift.
        answers: Shape (n, k, 3): each cell's light, cleared of drift.
        steps: See ``FaceCells.steps``.
        curve: Shape (k, m): functions over the cells; the part of the responses that they explain is removed.
        weights: Shape (k,): the weights of the cells.
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
    """Returns the variance from products of different steps; ``None`` if only one step has light."""
    own = products[np.ix_(kept, kept)]
    both = float(power[kept].sum() ** 2 - (power[kept] ** 2).sum())
    if both <= 0:
        return None
    return float(own.sum() - np.trace(own)) / both / float(weights.sum())
