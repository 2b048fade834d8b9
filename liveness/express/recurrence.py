"""Do frames come again that were encoded anew, so that no two are identical?

Where nothing moves, a clip that is played again differs from its last pass by far less than a camera's frames
differ by their noise, which is new every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHORTEST_PERIOD = 2
_SHORTEST_RETURN = 4
"""Frames apart; what lies closer to a turning point differs by little else than noise anyway."""

_LEAST_NOISE = 0.3
"""Grey levels; pixels that change less are clipped or painted and show no noise."""

_LEAST_NOISY_SHARE = 0.1
_QUIET_PERCENT = 30
_MOST_QUIET = 256
_SPARSE = 8
_FEWEST_PAIRS = 8


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How alike frames are that a replay would show again, over fresh noise; about 1 or more for a camera.

    Attributes:
        period: Frames after which a scan is most like itself: a loop's length or a multiple.
        period_ratio: How much frames that far apart differ, over what their noise would make them differ;
            ``inf`` where no period has enough pairs of frames.
        turning: Index of the frame around which a scan is most like itself backwards.
        turning_ratio: The same for frames as far before it as after it.
    """

    period: int
    period_ratio: float
    turning: int
    turning_ratio: float


def find_recurrence(indices: Sequence[int], samples: NDArray[np.uint8]) -> Recurrence | None:
    """Look for a period, and for a turning point from which a clip is played backwards.

    Only the quietest pixels count, those that show little but noise: a head that nods in time or a lamp
    that flickers also comes back to where it was, but with fresh noise. Not all frames are sampled, so
    a period is looked for among the pairs of frames that are as far apart, a turning point among the pairs on
    either side of it. Of a thinned scan some turning points have too few.

    Args:
        indices: Of the frames, increasing; two or more.
        samples: Shape (frames, pixels).

    Returns:
        ``None`` where too few pixels show noise.
    """
    values = samples.astype(np.int16)
    step = _change(values[1:] - values[:-1])
    noisy = step[step > _LEAST_NOISE]
    if len(noisy) < _LEAST_NOISY_SHARE * len(step):
        return None
    quiet = (step > _LEAST_NOISE) & (step <= np.percentile(noisy, _QUIET_PERCENT))
    # A few hundred pixels are plenty for a mean.
    watched = np.flatnonzero(quiet)[:: max(1, int(quiet.sum()) // _MOST_QUIET)]
    earlier, later, difference = _pairs(values[:, watched])
    # A scan is not equally quiet all the time: each pair is held against its own frames' noise.
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
    """All pairs of rows, earlier and later, and their mean absolute difference beside a common change."""
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
    """The group, of those with enough pairs, that differs least over what fresh noise would make it."""
    count = np.bincount(group)
    differ, expected = (np.bincount(group, weights=one) for one in (difference, fresh))
    usable = (count >= _FEWEST_PAIRS) & (expected > 0)
    if not usable.any():
        return 0, float("inf")
    ratio = np.divide(differ, expected, out=np.full(len(count), np.inf), where=usable)
    return int(ratio.argmin()), float(ratio.min())


def _change(differences: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean absolute difference of each pixel over pairs of frames, less each pair's common change."""
    # Twice as much of everything: a median may lie between two grey levels, and whole numbers are faster.
    common = (2 * np.median(differences[:, ::_SPARSE], axis=1, keepdims=True)).astype(np.int16)
    change: NDArray[np.float64] = np.abs(2 * differences - common).sum(axis=0, dtype=np.int32)
    return change / (2 * len(differences))
