"""Searches for repeated frames that were re-encoded, so that no two are identical.

A camera's frames differ at least by their noise, which is new in each. If a clip is played again, its still
parts differ far less from the pass before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHORTEST_PERIOD = 2
_SHORTEST_RETURN = 4
"""The least distance of two frames around a turning point, frames. Closer frames differ by little but
noise."""

_LEAST_NOISE = 0.3
"""The least change of a pixel with noise, grey levels. Pixels that change less are clipped or drawn."""

_LEAST_NOISY_SHARE = 0.1
"""The least share of pixels with noise in a scan that is measured."""
_QUIET_PERCENT = 30
_MOST_QUIET = 256
"""The share of noisy pixels that counts, those with the least noise, percent; and about the most of them. A
few hundred pixels suffice for a mean."""
_SPARSE = 8
"""The interval of the pixels that give the median change that all pixels have in common."""
_FEWEST_PAIRS = 8
"""The least number of pairs of frames for a period or a turning point."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How much frames differ that a replay would repeat, relative to new noise: 1 or more for a camera.

    Attributes:
        period: The number of frames after which the scan is most similar to itself: a loop's length or a
            multiple.
        period_ratio: The difference of frames at that distance, over the difference expected from their
            noise; ``inf`` if no period has enough pairs of frames.
        turning: The index of the frame around which the scan is most similar to itself in reverse.
        turning_ratio: The same ratio for frames at equal distances before and after ``turning``.
    """

    period: int
    period_ratio: float
    turning: int
    turning_ratio: float


def find_recurrence(indices: Sequence[int], samples: NDArray[np.uint8]) -> Recurrence | None:
    """Searches for a period, and for a turning point from which a clip is played backwards.

    Only the quietest pixels count, which show little but noise. A head that nods regularly or a lamp that
    flickers also returns to an earlier state, but with new noise. Because not all frames are sampled, a
    period is measured from the pairs of frames at that distance, and a turning point from the pairs on either
    side of it. In a scan with few sampled frames, some turning points have too few pairs.

    Args:
        indices: The indices of the frames, increasing; two or more.
        samples: The sampled pixels, shape (frames, pixels).

    Returns:
        The best period and turning point; ``None`` if too few pixels show noise.
    """
    values = samples.astype(np.int16)
    step = _change(values[1:] - values[:-1])
    noisy = step[step > _LEAST_NOISE]
    if len(noisy) < _LEAST_NOISY_SHARE * len(step):
        return None
    quiet = (step > _LEAST_NOISE) & (step <= np.percentile(noisy, _QUIET_PERCENT))
    # A few hundred pixels suffice for a mean.
    watched = np.flatnonzero(quiet)[:: max(1, int(quiet.sum()) // _MOST_QUIET)]
    earlier, later, difference = _pairs(values[:, watched])
    # The noise of a scan varies over time, so each pair is compared with the noise of its own frames.
    between = np.pad(difference[: len(values) - 1], 1, mode="edge")
    noise = (between[1:] + between[:-1]) / 2
    fresh = (noise[earlier] + noise[later]) / 2
    places = np.array(indices) - indices[0]
    apart = places[later] - places[earlier]
    far = apart >= _SHORTEST_PERIOD
    period, period_ratio = _most_alike(apart[far], difference[far], fresh[far])
    far = apart >= _SHORTEST_RETURN
    twice, turning_ratio = _most_alike((places[later] + places[earlier])[far], difference[far], fresh[far])
    return Recurrence(
        period=period,
        period_ratio=period_ratio,
        turning=twice // 2 + indices[0],
        turning_ratio=turning_ratio,
    )


def _pairs(values: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Returns all pairs of rows (earlier, later), and how much they differ apart from a common change."""
    centred = (values - values.mean(axis=1, keepdims=True)).astype(np.float32)
    count = len(values)
    earlier = [np.arange(count - apart) for apart in range(1, count)]
    later = [at + apart for apart, at in enumerate(earlier, 1)]
    difference, room = [], np.empty_like(centred[1:])
    for apart in range(1, count):
        change = np.subtract(centred[apart:], centred[:-apart], out=room[: count - apart])
        difference.append(np.abs(change, out=change).sum(axis=1) / np.float32(centred.shape[1]))
    return np.concatenate(earlier), np.concatenate(later), np.concatenate(difference)


def _most_alike(
    group: NDArray[np.intp], difference: NDArray[np.float32], fresh: NDArray[np.float32]
) -> tuple[int, float]:
    """Returns the group of pairs with the least difference relative to new noise, and that ratio.

    Groups with too few pairs are ignored; without any other, the ratio is ``inf``.
    """
    count = np.bincount(group)
    differ, expected = (np.bincount(group, weights=one) for one in (difference, fresh))
    usable = (count >= _FEWEST_PAIRS) & (expected > 0)
    if not usable.any():
        return 0, float("inf")
    ratio = np.divide(differ, expected, out=np.full(len(count), np.inf), where=usable)
    return int(ratio.argmin()), float(ratio.min())


def _change(differences: NDArray[np.int16]) -> NDArray[np.float64]:
    """Returns each pixel's mean absolute difference over pairs of frames, less each pair's common change."""
    # All values are doubled: a median may lie between two grey levels, and integers are faster.
    common = (2 * np.median(differences[:, ::_SPARSE], axis=1, keepdims=True)).astype(np.int16)
    change: NDArray[np.float64] = np.abs(2 * differences - common).sum(axis=0, dtype=np.int32)
    return change / (2 * len(differences))
