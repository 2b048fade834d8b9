"""Each tracked frame of a scan in a few numbers, for the motion signals."""

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
"""Left-over motion over the noise estimate where nothing moves: 1.2 to 2.0 on still photos."""

_MOST_NOISE = 0.15
"""View pixels; more than that between frames is fast motion, not noise."""

_RAYLEIGH_MEDIAN = 2 * math.log(2)
"""Median squared length over the variance of one coordinate, of a two-dimensional normal error."""

_STANDING = 0.006
"""Added to the movement, face widths, so that noise over hardly any movement does not look like depth."""

_SHIFT_SHARE = 0.2
"""How much a common shift of all points counts as movement: tracking follows it almost without error,
unlike turning and approaching, which deform the picture around each point."""
_STRONG_PERCENT = 80
"""Percentile of the steps that stands for the strong ones: heads rest in between."""
_BEND_VARIANCE = 6
"""Of second differences, over that of independent errors: 1 + 4 + 1."""


@dataclass(frozen=True, slots=True)
class MotionStep:
    """How one frame differs from the first of its segment; lengths in face widths.

    Attributes:
        moved: RMS movement of the face's points.
        shifted: Of it, the length of the shift that all share.
        left_over: Of it, what no plane's motion explains: trimmed RMS, smoothed over three frames
            against noise, less the noise that is left.
        surroundings: Median distance of background points from where the face's plane would have
            taken them; ``None`` with too few of them.
        change: Change of the face's parts; ``None`` where unknown.
    """

    moved: float
    shifted: float
    left_over: float
    surroundings: float | None
    change: RegionChange | None


def motion_steps(scan: ScanObservations) -> tuple[MotionStep, ...]:
    """All tracked frames of ``scan`` with enough points, in order."""
    return tuple(step for segment in scan.motion for step in _segment_steps(segment))


def movement(steps: Sequence[MotionStep]) -> float:
    """How far the face moves within a second, face widths: a high percentile of ``steps``, one or more."""
    return float(np.percentile([step.moved for step in steps], _STRONG_PERCENT))


def left_over_ratio(steps: Sequence[MotionStep]) -> float:
    """Left-over motion over motion, a high percentile of ``steps``, which must not be empty."""
    ratios = []
    for step in steps:
        deformed = math.sqrt(max(0.0, step.moved**2 - step.shifted**2))
        ratios.append(step.left_over / (math.hypot(deformed, _SHIFT_SHARE * step.shifted) + _STANDING))
    return float(np.percentile(ratios, _STRONG_PERCENT))


def typical_face_width(scan: ScanObservations) -> float:
    """Median face width of the tracked segments, view pixels; 0 without any."""
    return float(np.median([segment.face_width for segment in scan.motion])) if scan.motion else 0.0


def _segment_steps(segment: MotionSegment) -> list[MotionStep]:
    face = segment.on_face
    if face.sum() < _FEWEST_FACE_POINTS:
        return []
    noise = _NOISE_MULTIPLE * min(_MOST_NOISE / segment.face_width, _tracking_noise(segment))
    # Noise is fresh in every frame while a head's motion lasts, so three frames in a row keep the motion and
    # lose part of the noise.
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
    """Of each row what is no NaN, as ``np.median`` has it; ``None`` where too little is."""
    # NaN sorts last. One sort for all rows: they are short, and a median apiece costs ten times as much.
    inside, counts = np.sort(beside, axis=1), np.isfinite(beside).sum(axis=1).tolist()
    return [
        float(row[(count - 1) // 2] + row[count // 2]) / 2 if count >= _FEWEST_BACKGROUND_POINTS else None
        for row, count in zip(inside, counts, strict=True)
    ]


def _tracking_noise(segment: MotionSegment) -> float:
    """RMS length of the error that comes and goes between frames, face widths.

    From second differences over time, in which steady motion cancels out and independent errors add up
    to six times their variance. 0 where the segment is too short to tell.
    """
    left_over = segment.left_over[:, segment.on_face].astype(np.float64)
    bends = ((left_over[:-2] - 2 * left_over[1:-1] + left_over[2:]) ** 2).sum(axis=2)
    bends = bends[np.isfinite(bends)]
    if len(bends) == 0:
        return 0.0
    variance = float(np.median(bends)) / (_BEND_VARIANCE * _RAYLEIGH_MEDIAN)
    return math.sqrt(2 * variance)


def _trimmed_rms(lengths: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Root mean square of each row's shortest nine tenths, shape (frames,).

    Args:
        lengths: Shape (frames, points); NaN for points that were lost.
        counts: Shape (frames,): points that were not lost, or 1.
    """
    kept = np.maximum(1, (_KEPT_SHARE * counts).astype(np.intp))
    # NaN sorts last, so that a row's shortest stand first.
    squares = np.cumsum(np.sort(lengths, axis=1) ** 2, axis=1)
    rms: NDArray[np.float64] = np.sqrt(squares[np.arange(len(kept)), kept - 1] / kept)
    return rms
