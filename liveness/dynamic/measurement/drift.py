"""Takes out of the face's light what camera, hand and room did to it, not the screen.

A camera multiplies everything it sees by gains that drift: exposure, common to all colours, and white
balance, one for each. In logarithms they add, so they are fitted and subtracted:

* what the background shows beyond its own response to the screen, which it shares with the face as far as
  the fit finds (0 to 1 times);
* a leaky integral of the face's lightness, which is what an exposure loop acts on while it pulls against the
  flash;
* where the head is and how it is turned, which changes how other light falls on it;
* a constant and a slope in time.

What is left of the screen's own light is taken through the same projection, so that both stay comparable
(Frisch, Waugh and Lovell). No metadata of the camera are needed, and none are believed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.track import TrackView

__all__ = ["Drift", "fit_drift"]

_FEWEST_ROWS = 12
_EYE = np.eye(3)
_NEIGHBOURS = 3
_MOST_SHARED = 1.0
_MOST_COLOUR = 0.5
"""Of the face's answer: where the background changes its colours by more than that beside the screen, it is
no camera's gain that does, but another light. To take that out of the face would leave of any other flash
what fits this one: of 80 runs with a recording from the dark, before a near wall, 20 verified 12 bits."""
_MOSTLY_SEEN = 0.8
"""Share of the frames that must show the background: a hand or a bright window may hide it from a few."""
_INDEPENDENT = 1e-6
"""Singular value, over the largest, from which a column says something that the others do not."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """A projection onto what the screen can have done.

    Attributes:
        rows: Shape (n,): the frames that it holds for, as rows of the track.
        basis: Shape (n, k), orthonormal: what is taken out.
        gain: Shape (n, 3): what the background says of the camera's gains, already cleared; 0 without one.
    """

    rows: NDArray[np.intp]
    basis: NDArray[np.float64]
    gain: NDArray[np.float64]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``values``, shape (..., n, m), without what drift explains."""
        cleared: NDArray[np.float64] = values - self.basis @ (self.basis.T @ values)
        return cleared

    def share_left(self, inside: NDArray[np.bool_]) -> float:
        """Of a light that is there just in the frames ``inside``, what is left there once it is cleared."""
        held = self.basis[inside].sum(axis=0)
        count = int(np.count_nonzero(inside))
        return (count - float(held @ held)) / count

    def clear_of_gain(self, values: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
        """``values``, shape (n, 3), cleared of drift and of the gains that the background shows.

        Args:
            values: Logarithms of light.
            screen: Shape (n, 3): the screen's light, cleared; the background's own response to it is no
                gain and stays.
        """
        cleared = self.clear(values)
        if not self.gain.any():
            return cleared
        gain = _without(self.gain, screen)
        rest = _without(cleared, screen)
        if _colour_power(gain) > _MOST_COLOUR * _colour_power(cleared - rest):
            gain = np.repeat(gain.mean(axis=1, keepdims=True), gain.shape[1], axis=1)
        power = np.einsum("ij,ij->j", gain, gain)
        shared = np.einsum("ij,ij->j", gain, rest) / np.maximum(power, 1e-12)
        adjusted: NDArray[np.float64] = cleared - np.clip(shared, 0.0, _MOST_SHARED) * gain
        return adjusted


def fit_drift(track: TrackView, rows: NDArray[np.intp]) -> Drift | None:
    """The drift over ``rows`` of the track, which must be clean; ``None`` where they are too few."""
    if len(rows) < _FEWEST_ROWS:
        return None
    times = track.times[rows]
    span = max(float(times[-1] - times[0]), 1e-3)
    columns = np.concatenate(
        [
            np.stack([np.ones(len(rows)), (times - times[0]) / span - 0.5, track.integral[rows]], axis=1),
            _smooth(track.pose[rows]),
        ],
        axis=1,
    )
    columns[:, 1:] -= columns[:, 1:].mean(axis=0)
    columns /= np.maximum(np.sqrt((columns**2).mean(axis=0)), 1e-6)
    basis, weights, _ = np.linalg.svd(columns, full_matrices=False)
    basis = basis[:, weights > _INDEPENDENT * weights[0]]
    gain = np.zeros((len(rows), 3))
    background = _filled(times, track.background[rows])
    if background is not None:
        gain = background - basis @ (basis.T @ background)
    return Drift(rows=rows, basis=basis, gain=gain)


def _filled(times: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The background, drawn straight over the few frames that hide it; ``None`` where it is hardly seen."""
    seen = np.isfinite(background).all(axis=1)
    if seen.all():
        return background
    if seen.mean() < _MOSTLY_SEEN:
        return None
    colours = [np.interp(times, times[seen], background[seen, colour]) for colour in range(3)]
    return np.stack(colours, axis=1)


def _smooth(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over neighbours: a detector's points tremble, and the light does not."""
    seen = np.isfinite(pose)
    mean = np.where(seen, pose, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, pose - mean, 0.0)
    sums = np.concatenate([np.zeros((1, filled.shape[1])), filled.cumsum(axis=0)])
    ends = np.minimum(np.arange(len(pose)) + _NEIGHBOURS + 1, len(pose))
    starts = np.maximum(np.arange(len(pose)) - _NEIGHBOURS, 0)
    means: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
    return means


def _colour_power(values: NDArray[np.float64]) -> float:
    """Of what is not common to all colours."""
    return float(((values - values.mean(axis=1, keepdims=True)) ** 2).sum())


def _without(values: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` without what ``screen`` explains of them, column by column of all."""
    gram = screen.T @ screen + 1e-9 * _EYE
    rest: NDArray[np.float64] = values - screen @ np.linalg.solve(gram, screen.T @ values)
    return rest
