"""Removes changes of the face's light that camera, hand and room cause, not the screen.

A camera multiplies all light by gains that drift: exposure, common to all colours, and white balance, one for
each colour. In logarithms they add, so they are fitted and subtracted, as these terms:

* the change of the background beyond its response to the screen, which the face shares by a fitted factor of
  0 to 1;
* a leaky integral of the face's lightness, on which an exposure loop acts while it counteracts the flash;
* the head's position and pose, which change how other light falls on it;
* a constant and a slope in time.

The screen's light goes through the same projection, so that both remain comparable (Frisch, Waugh and
Lovell). This requires no metadata of the camera and relies on none.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.track import TrackView

_FEWEST_ROWS = 12
_EYE = np.eye(3)
_NEIGHBOURS = 3
_MOST_SHARED = 1.0
_MOST_COLOUR = 0.5
"""The largest change of the background's colours beyond the screen's, over the face's response, that counts
as the camera's gain. A larger one is another light. If it were removed from the face, the rest of any other
flash would fit this one: of 80 runs with a recording from the dark, before a near wall, 20 verified 12
bits."""
_MOSTLY_SEEN = 0.8
"""The share of the frames that must show the background. A hand or a bright window may hide it in a few."""
_INDEPENDENT = 1e-6
"""The singular value, over the largest, above which a column is independent of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """A projection that keeps only changes that the screen can have caused.

    Attributes:
        rows: Shape (n,): the frames to which it applies, as rows of the track.
        basis: Shape (n, k), orthonormal: the changes that are removed.
        gain: Shape (n, 3): the camera's gains by the background, already cleared; 0 without a background.
    """

    rows: NDArray[np.intp]
    basis: NDArray[np.float64]
    gain: NDArray[np.float64]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns ``values``, shape (..., n, m), without drift."""
        cleared: NDArray[np.float64] = values - self.basis @ (self.basis.T @ values)
        return cleared

    def share_left(self, inside: NDArray[np.bool_]) -> float:
        """Returns how much clearing leaves of a light that is on only in the frames ``inside``, 0..1."""
        held = self.basis[inside].sum(axis=0)
        count = int(np.count_nonzero(inside))
        return (count - float(held @ held)) / count

    def clear_of_gain(self, values: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns ``values``, shape (n, 3), without drift and without the gains that the background shows.

        Args:
            values: Logarithms of light.
            screen: Shape (n, 3): the screen's light, cleared. The background's response to it is not a gain
                and is not removed.
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
    """Returns the drift over ``rows`` of the track, which must be clean; ``None`` if they are too few."""
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
    """Returns the background, interpolated over frames that hide it; ``None`` if too many frames hide it."""
    seen = np.isfinite(background).all(axis=1)
    if seen.all():
        return background
    if seen.mean() < _MOSTLY_SEEN:
        return None
    colours = [np.interp(times, times[seen], background[seen, colour]) for colour in range(3)]
    return np.stack(colours, axis=1)


def _smooth(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns means over neighbouring frames, because a detector's points jitter and the light does not."""
    seen = np.isfinite(pose)
    mean = np.where(seen, pose, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, pose - mean, 0.0)
    sums = np.concatenate([np.zeros((1, filled.shape[1])), filled.cumsum(axis=0)])
    ends = np.minimum(np.arange(len(pose)) + _NEIGHBOURS + 1, len(pose))
    starts = np.maximum(np.arange(len(pose)) - _NEIGHBOURS, 0)
    means: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
    return means


def _colour_power(values: NDArray[np.float64]) -> float:
    """Returns the sum of squares of the part that is not common to all colours."""
    return float(((values - values.mean(axis=1, keepdims=True)) ** 2).sum())


def _without(values: NDArray[np.float64], screen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns ``values`` without the part that ``screen`` explains, column by column."""
    gram = screen.T @ screen + 1e-9 * _EYE
    rest: NDArray[np.float64] = values - screen @ np.linalg.solve(gram, screen.T @ values)
    return rest
