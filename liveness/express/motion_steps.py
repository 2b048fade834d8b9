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


def left_over_ratio(steps: Sequence[MotionStep]) -> float:
    """Left-over motion over motion, the 80th percentile of ``steps``, which must not be empty."""
    ratios = []
    for step in steps:
        deformed = math.sqrt(max(0.0, step.moved**2 - step.shifted**2))
        ratios.append(step.left_over / (math.hypot(deformed, _SHIFT_SHARE * step.shifted) + _STANDING))
    return float(np.percentile(ratios, 80))


def typical_face_width(scan: ScanObservations) -> float:
    """Median face width of the tracked segments, view pixels; 0 without any."""
    return float(np.median([segment.face_width for segment in scan.motion])) if scan.motion else 0.0


def _segment_steps(segment: MotionSegment) -> list[MotionStep]:
    steps: list[MotionStep] = []
    face, around = segment.on_face, ~segment.on_face
    noise = _NOISE_MULTIPLE * min(_MOST_NOISE / segment.face_width, _tracking_noise(segment))
    for at in range(1, len(segment.frames) - 1):
        # Noise is fresh in every frame while a head's motion lasts, so three frames in a row keep the
        # motion and lose part of the noise.
        smooth = segment.left_over[at - 1 : at + 2, face].mean(axis=0)
        seen = np.isfinite(smooth[:, 0])
        if seen.sum() < _FEWEST_FACE_POINTS:
            continue
        movement = segment.positions[at, face][seen] - segment.positions[0, face][seen]
        beside = segment.left_over[at, around]
        beside = beside[np.isfinite(beside[:, 0])]
        steps.append(
            MotionStep(
                moved=float(np.sqrt((movement**2).sum(axis=1).mean())),
                shifted=float(np.linalg.norm(movement.mean(axis=0))),
                left_over=math.sqrt(
                    max(0.0, _trimmed_rms(np.linalg.norm(smooth[seen], axis=1)) ** 2 - noise**2)
                ),
                surroundings=float(np.median(np.linalg.norm(beside, axis=1)))
                if len(beside) >= _FEWEST_BACKGROUND_POINTS
                else None,
                change=segment.changes[at - 1],
            )
        )
    return steps


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
    variance = float(np.median(bends)) / (6 * _RAYLEIGH_MEDIAN)
    return math.sqrt(2 * variance)


def _trimmed_rms(lengths: NDArray[np.floating]) -> float:
    kept = np.sort(lengths)[: max(1, int(_KEPT_SHARE * len(lengths)))]
    return float(np.sqrt((kept.astype(np.float64) ** 2).mean()))
