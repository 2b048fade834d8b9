"""The motion of each tracked frame in a few numbers, for the motion signals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.observation import MotionSegment, RegionChange, ScanObservations

_FEWEST_FACE_POINTS = 16
_FEWEST_BACKGROUND_POINTS = 8
_KEPT_SHARE = 0.9
_NOISE_MULTIPLE = 1.8
"""Left-over motion over the noise estimate if nothing moves: 1.2 to 2.0 on still photos."""

_MOST_NOISE = 0.15
"""The most noise, view pixels. More than that between frames is fast motion."""

_RAYLEIGH_MEDIAN = 2 * math.log(2)
"""The median squared length of a two-dimensional normal error over the variance of one coordinate."""

_STANDING = 0.006
"""Added to the movement, face widths, so that noise over little movement does not look like depth."""

_SHIFT_SHARE = 0.2
"""The weight of a common shift of all points in the movement. Tracking follows a shift almost without error,
unlike a turn or an approach, which deforms the image around each point."""
_STRONG_PERCENT = 80
"""The percentile of the steps that represents the strong ones, because heads rest in between."""
_BEND_VARIANCE = 6
"""The variance of second differences over that of independent errors: 1 + 4 + 1."""


@dataclass(frozen=True, slots=True)
class MotionStep:
    """The motion of one frame relative to the first of its segment; lengths in face widths.

    Attributes:
        moved: RMS movement of the face's points.
        shifted: The length of the shift that all points have in common.
        left_over: The movement that no motion of a plane explains: trimmed RMS, smoothed over three frames,
            less the noise that remains.
        surroundings: Median distance of background points from the positions to which the motion of the
            face's plane would take them; ``None`` if there are too few of them.
        change: Change of the face's parts; ``None`` if unknown.
    """

    moved: float
    shifted: float
    left_over: float
    surroundings: float | None
    change: RegionChange | None


def motion_steps(scan: ScanObservations) -> tuple[MotionStep, ...]:
    """Returns the steps of all tracked frames of ``scan`` with enough points, in order."""
    return tuple(step for segment in scan.motion for step in _segment_steps(segment))


def movement(steps: Sequence[MotionStep]) -> float:
    """Returns how far the face moves within a second, face widths: a high percentile of the steps."""
    return float(np.percentile([step.moved for step in steps], _STRONG_PERCENT))


def left_over_ratio(steps: Sequence[MotionStep]) -> float:
    """Returns left-over motion over motion: a high percentile of ``steps``, which must not be empty."""
    ratios = []
    for step in steps:
        deformed = math.sqrt(max(0.0, step.moved**2 - step.shifted**2))
        ratios.append(step.left_over / (math.hypot(deformed, _SHIFT_SHARE * step.shifted) + _STANDING))
    return float(np.percentile(ratios, _STRONG_PERCENT))


def typical_face_width(scan: ScanObservations) -> float:
    """Returns the median face width of the tracked segments, view pixels; 0 without segments."""
    return float(np.median([segment.face_width for segment in scan.motion])) if scan.motion else 0.0


def _segment_steps(segment: MotionSegment) -> list[MotionStep]:
    face = segment.on_face
    if face.sum() < _FEWEST_FACE_POINTS:
        return []
    noise = _NOISE_MULTIPLE * min(_MOST_NOISE / segment.face_width, _tracking_noise(segment))
    # Noise differs in every frame and a head's motion lasts, so a mean of three frames keeps the motion and
    # reduces the noise.
    of_face = segment.left_over[:, face].astype(np.float64)
    smooth = (of_face[:-2] + of_face[1:-1] + of_face[2:]) / 3
    seen = np.isfinite(smooth[..., 0])
    counts = seen.sum(axis=1)
    movement = (segment.positions[1:-1, face] - segment.positions[0, face]).astype(np.float64)
    movement = np.where(seen[..., None], movement, 0.0)
    many = np.maximum(counts, 1)
    moved = np.sqrt((movement**2).sum(axis=(1, 2)) / many)
    shifted = np.linalg.norm(movement.sum(axis=1) / many[:, None], axis=1)
    left_over = _trimmed_rms(np.linalg.norm(smooth, axis=2), many)
    surroundings = _medians(np.linalg.norm(segment.left_over[1:-1, ~face].astype(np.float64), axis=2))
    return [
        MotionStep(
            moved=float(moved[at]),
            shifted=float(shifted[at]),
            left_over=math.sqrt(max(0.0, float(left_over[at]) ** 2 - noise**2)),
            surroundings=surroundings[at],
            change=segment.changes[at],
        )
        for at in np.flatnonzero(counts >= _FEWEST_FACE_POINTS).tolist()
    ]


def _medians(beside: NDArray[np.float64]) -> list[float | None]:
    """Returns the median of each row without its NaNs; ``None`` for a row with too few values."""
    # NaN sorts last. All rows are sorted at once: they are short, and one median each costs ten times as
    # much.
    inside, counts = np.sort(beside, axis=1), np.isfinite(beside).sum(axis=1).tolist()
    return [
        float(row[(count - 1) // 2] + row[count // 2]) / 2 if count >= _FEWEST_BACKGROUND_POINTS else None
        for row, count in zip(inside, counts, strict=True)
    ]


def _tracking_noise(segment: MotionSegment) -> float:
    """Returns the RMS length of the tracking error between frames, face widths.

    It is estimated from second differences over time, in which steady motion cancels out and independent
    errors add up to six times their variance. 0 if the segment is too short.
    """
    left_over = segment.left_over[:, segment.on_face].astype(np.float64)
    bends = ((left_over[:-2] - 2 * left_over[1:-1] + left_over[2:]) ** 2).sum(axis=2)
    bends = bends[np.isfinite(bends)]
    if len(bends) == 0:
        return 0.0
    variance = float(np.median(bends)) / (_BEND_VARIANCE * _RAYLEIGH_MEDIAN)
    return math.sqrt(2 * variance)


def _trimmed_rms(lengths: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Returns the root mean square of each row's shortest nine tenths, shape (frames,).

    Args:
        lengths: Shape (frames, points); NaN for points that were lost.
        counts: Shape (frames,): the number of points that were not lost, at least 1.
    """
    kept = np.maximum(1, (_KEPT_SHARE * counts).astype(np.intp))
    # NaN sorts last, so a row begins with its shortest lengths.
    squares = np.cumsum(np.sort(lengths, axis=1) ** 2, axis=1)
    rms: NDArray[np.float64] = np.sqrt(squares[np.arange(len(kept)), kept - 1] / kept)
    return rms
