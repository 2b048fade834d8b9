"""Compares how two scans move: whether one may be a recording of the other, encoded or cut anew.

A scan is reduced to a sequence of the coarsest frequencies of its frames' brightness, five a second. What
stands still, such as the place and the person's looks, is subtracted, so that only the movement is compared.
A person who scans daily in the same place moves differently each time; a recording moves as before, whatever
its quality and size. The figures behind the lines are in docs/device_integrity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

_MAGIC: Final = b"mot1"
"""Names the version of the stored form. Records of another version have no motion."""

_SIDE: Final = 24
_ORDERS: Final = 6
_VALUES: Final = _ORDERS * _ORDERS
_STEP_SECONDS: Final = 0.2
_FEWEST: Final = 10
"""Least number of samples that two scans have in common."""

_MOST: Final = 150
_LEAST_SHARED: Final = 0.6
"""Least share of the shorter scan that both have in common."""

_LEAST_CHANGE: Final = 0.25
"""Least movement, grey levels; below it there is only noise."""

_SCALES: Final = (0.9, 0.8)
_PLACES: Final = (0.0, 0.5, 1.0)
_WORTH_CUTTING: Final = 0.3
"""Similarity of the whole frames from which cuts of them are compared, too; copies without a fifth of the
picture have 0.35 and more."""

_MOST_CUT: Final = 4
"""Scans of which parts are compared, because that takes ten times as long."""

_SPEEDS: Final = (0.8, 0.9, 1.1, 1.22)
"""Other speeds of a recording; a copy at a speed between two of them is similar enough to both."""

_RETIMED_COUNTS: Final = 0.7 / 0.75
"""The weight of similarity at another speed or backwards: by chance, the best of ten ways to play a
movement is more similar than one."""

_MOST_STEADY: Final = 0.4
"""Share of a scan's change that is left without movement of the whole picture, up to which the rest is
compared, too: software that shakes a recording makes most of its change. Of people who hold a phone more is
left in most scans, and other seconds of one clip then resemble each other by chance."""

_STEADIED_COUNTS: Final = 0.7 / 0.6
"""The weight of similarity without movement of the whole picture: scans of other clips have 0.4 at most."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ScanMotion:
    """The movement of one attempt.

    Attributes:
        samples: Shape (number, 36), five samples a second: the change of each frequency from its mean over
            the attempt, scaled so that the largest is 127.
        shaken: Orthonormal directions, shape (36, 4), in which they change as the whole picture shifts, turns
            or grows; ``None`` for a stored movement.
    """

    samples: NDArray[np.int8]
    shaken: Samples | None = None

    def to_bytes(self) -> bytes:
        """Return the stored form, at most 5.4 kB."""
        return _MAGIC + len(self.samples).to_bytes(2, "big") + self.samples.tobytes()


def motions_from_bytes(data: bytes) -> tuple[ScanMotion, ...]:
    """Parse concatenated results of ``ScanMotion.to_bytes``; stop at bytes of another form."""
    found = []
    head = len(_MAGIC) + 2
    while data.startswith(_MAGIC) and len(data) >= head:
        size = int.from_bytes(data[len(_MAGIC) : head], "big") * _VALUES
        if not size or len(data) < head + size:
            break
        found.append(ScanMotion(np.frombuffer(data, np.int8, size, head).reshape(-1, _VALUES)))
        data = data[head + size :]
    return tuple(found)


def frame_layout(blocks: NDArray[np.uint8]) -> Samples:
    """Return the coarsest frequencies of a frame's brightness, and how they change as the picture moves.

    Args:
        blocks: The mean luma of each block of the upright frame (``vision.image.decode_jpeg_blocks``).

    Returns:
        Shape (5, 36): the frequencies, without the mean; then their change for each movement of the whole
        picture, in units of its own: to the right, down, a turn, and growth.
    """
    small = cv2.resize(blocks.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    down, right = np.gradient(small)
    middle = np.arange(_SIDE, dtype=np.float32) - np.float32((_SIDE - 1) / 2)
    x, y = middle, middle[:, None]
    moved = (small, right, down, right * y - down * x, right * x + down * y)
    return np.stack([_frequencies(np.asarray(one, np.float32)) for one in moved])


def scan_motion(layouts: Sequence[tuple[int, Samples]]) -> ScanMotion | None:
    """Return the movement of an attempt; ``None`` if it is too short, or if nothing moves.

    Args:
        layouts: The capture time, microseconds, and ``frame_layout`` of each frame, in order.
    """
    if not layouts:
        return None
    times = np.array([time for time, _ in layouts]) / 1e6
    grid = np.arange(times[0], times[-1] + 1e-6, _STEP_SECONDS)[:_MOST]
    if len(grid) < _FEWEST:
        return None
    values = np.stack([layout[0] for _, layout in layouts])
    sampled = np.stack([np.interp(grid, times, column) for column in values.T], axis=1)
    change = sampled - sampled.mean(axis=0)
    # Divided by the side, coefficients are in grey levels.
    if float(np.sqrt((change**2).sum(axis=1).mean())) / _SIDE < _LEAST_CHANGE:
        return None
    shaken, _ = np.linalg.qr(np.mean([layout[1:] for _, layout in layouts], axis=0).T)
    return ScanMotion(
        np.rint(change * (127 / np.abs(change).max())).astype(np.int8), shaken.astype(np.float32)
    )


def motion_similarity(one: ScanMotion, others: Sequence[ScanMotion]) -> float:
    """Return how similarly an attempt and the most similar of others move, up to 1; about 0 if unrelated.

    Similarity is the mean correlation of the changes and of their steps from sample to sample, at the best
    shift in time, as they are or mirrored; and, with less weight, at another speed or backwards. Of the most
    similar ones, parts of the frames are compared, too. If the whole picture of the attempt shakes, what else
    changes in it is compared as well.
    """
    whole = sorted(((_whole(one, other), at) for at, other in enumerate(others)), reverse=True)
    best = max((_retimed(one, other) for other in others), default=0.0)
    best = max(best, whole[0][0] if whole else 0.0)
    steady = _steadiness(one)
    if steady is not None:
        best = max([best, *(_steadied(one, other, steady) for other in others)])
    for similarity, at in whole[:_MOST_CUT]:
        if similarity >= _WORTH_CUTTING:
            best = max(best, _parts(one, others[at]), _parts(others[at], one))
    return best


def _whole(one: ScanMotion, other: ScanMotion) -> float:
    return _best(one.samples.astype(np.float32), _viewed(other.samples, cut=False))


def _parts(one: ScanMotion, cut: ScanMotion) -> float:
    return _best(one.samples.astype(np.float32), _viewed(cut.samples, cut=True))


def _retimed(one: ScanMotion, other: ScanMotion) -> float:
    """Return the similarity with the other one played at another speed, or backwards."""
    samples = one.samples.astype(np.float32)
    best = _best(samples, _viewed(other.samples[::-1], cut=False))
    for speed in _SPEEDS:
        played = _played(other, speed)
        best = max(best, _best(samples, _viewed(np.stack([played, played[::-1]]), cut=False)))
    return _RETIMED_COUNTS * best


def _steadiness(one: ScanMotion) -> Samples | None:
    """Return the map that removes movement of the whole picture, shape (36, 36).

    ``None`` if most of the attempt's change is something else.
    """
    if one.shaken is None:
        return None
    steady = np.eye(_VALUES, dtype=np.float32) - one.shaken @ one.shaken.T
    samples = one.samples.astype(np.float32)
    left = float(((samples @ steady) ** 2).sum() / (samples**2).sum())
    return steady if left <= _MOST_STEADY else None


def _steadied(one: ScanMotion, other: ScanMotion, steady: Samples) -> float:
    """Return the similarity of what ``steady`` leaves, also at another speed."""
    samples = one.samples.astype(np.float32) @ steady
    best = max(
        _best(samples, _viewed(_played(other, speed), cut=False) @ steady) for speed in (1.0, *_SPEEDS)
    )
    return min(1.0, _STEADIED_COUNTS * best)


def _played(motion: ScanMotion, speed: float) -> NDArray[np.float64]:
    """Return the samples of a movement at another speed."""
    number = np.arange(len(motion.samples))
    at = np.arange(0, number[-1] + 1e-6, speed)
    return np.stack([np.interp(at, number, column) for column in motion.samples.T], axis=1)


def _viewed(samples: NDArray[Any], *, cut: bool) -> Samples:
    """Return movements, shape (..., number, 36), as their views show them, shape (views, number, 36)."""
    views = np.stack([samples.astype(np.float32) @ view for view in _views(cut=cut)])
    return views.reshape(-1, *samples.shape[-2:])


def _best(one: Samples, others: Samples) -> float:
    """Return the best similarity of (n, 36) with each of (views, m, 36), over all shifts in time."""
    number, others_number = len(one), others.shape[1]
    least = max(_FEWEST, int(_LEAST_SHARED * min(number, others_number)))
    shifts = np.arange(least - number, others_number - least + 1)
    if not len(shifts):
        return 0.0
    raw = _correlations(one, others, shifts)
    steps = _correlations(np.diff(one, axis=0), np.diff(others, axis=1), shifts)
    return max(0.0, float((raw + steps).max()) / 2)


def _correlations(one: Samples, others: Samples, shifts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the correlation at each shift of what two movements have in common, shape (views, shifts)."""
    number, views, others_number = len(one), len(others), others.shape[1]
    start, end = np.maximum(0, -shifts), np.minimum(number, others_number - shifts)
    ours, our_power = _summed(one, start, end)
    theirs, their_power = _summed(others, start + shifts, end + shifts)
    products = np.zeros((views, number, number + others_number))
    products[..., :others_number] = np.einsum("nv,kmv->knm", one[::-1], others, optimize=True)
    # In rows that are shorter by one, each row begins one further right, so that a shift is a column.
    width = number + others_number - 1
    slanted = products.reshape(views, -1)[:, : number * width].reshape(views, number, width)
    common = slanted.sum(axis=1)[:, shifts + number - 1] - (ours * theirs).sum(axis=-1) / (end - start)
    return np.asarray(common / np.maximum(np.sqrt(np.maximum(our_power * their_power, 0)), 1e-6))


def _summed(
    samples: Samples, start: NDArray[np.intp], end: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of samples from ``start`` to ``end``, and their squared distances to the mean."""
    sums, squares = (
        np.concatenate([np.zeros_like(total[..., :1, :]), total], axis=-2)
        for total in (
            np.cumsum(samples, axis=-2, dtype=np.float64),
            np.cumsum((samples.astype(np.float64) ** 2).sum(axis=-1, keepdims=True), axis=-2),
        )
    )
    inside = sums[..., end, :] - sums[..., start, :]
    power = (squares[..., end, :] - squares[..., start, :])[..., 0]
    return inside, power - (inside**2).sum(axis=-1) / (end - start)


@cache
def _views(*, cut: bool) -> tuple[Samples, ...]:
    """Return the maps from the frequencies of a picture to those of its mirrored and cut versions."""
    mirror = np.diag(np.tile((-1.0) ** np.arange(_ORDERS), _ORDERS)).astype(np.float32)
    straight = np.eye(_VALUES, dtype=np.float32)
    if not cut:
        return straight, mirror
    cuts = [_cut(*place) for place in product(_SCALES, _PLACES, _PLACES)]
    return tuple(turn @ one for turn in (straight, mirror) for one in cuts)


def _cut(scale: float, down: float, across: float) -> Samples:
    """Return the map to a part of the picture: its size, and its place from top left (0) to bottom right."""
    left = _SIDE * (1 - scale)
    window = np.array([[scale, 0, left * across], [0, scale, left * down]], np.float32)
    rows = []
    for order in range(_VALUES):
        wave = np.zeros((_SIDE, _SIDE), np.float32)
        wave[divmod(order, _ORDERS)] = 1
        part = cv2.warpAffine(
            np.asarray(cv2.idct(wave), np.float32),
            window,
            (_SIDE, _SIDE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        rows.append(_frequencies(np.asarray(part, np.float32)))
    return np.stack(rows)


def _frequencies(picture: Samples) -> Samples:
    """Return the lowest frequencies of a picture of ``_SIDE``, without its mean (DCT-II)."""
    values = np.array(cv2.dct(picture), np.float32)[:_ORDERS, :_ORDERS].ravel()
    values[0] = 0
    return values
