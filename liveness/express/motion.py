"""The motion of each tracked frame in a few numbers, the nose that it shows, and the blinks of a scan."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.extent import FacePlaces, face_extent, nose_ridge, places_on_face
from liveness.observation import FrameObservation, MotionSegment, RegionChange, ScanObservations
from vision.face import DetectedFace

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
_STRONG_STEPS = 80
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
    """Return the steps of all tracked frames of ``scan`` with enough points, in order."""
    return tuple(step for segment in scan.motion for step in _segment_steps(segment))


def movement(steps: Sequence[MotionStep]) -> float:
    """Return how far the face moves within a second, face widths: a high percentile of the steps."""
    return float(np.percentile([step.moved for step in steps], _STRONG_STEPS))


def left_over_ratio(steps: Sequence[MotionStep]) -> float:
    """Return left-over motion over motion: a high percentile of ``steps``, which must not be empty."""
    ratios = []
    for step in steps:
        deformed = math.sqrt(max(0.0, step.moved**2 - step.shifted**2))
        ratios.append(step.left_over / (math.hypot(deformed, _SHIFT_SHARE * step.shifted) + _STANDING))
    return float(np.percentile(ratios, _STRONG_STEPS))


def typical_face_width(scan: ScanObservations) -> float:
    """Return the median face width of the tracked segments, view pixels; 0 without segments."""
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
    """Return the median of each row without its NaNs; ``None`` for a row with too few values."""
    # NaN sorts last. All rows are sorted at once: they are short, and one median each costs ten times as
    # much.
    inside, counts = np.sort(beside, axis=1), np.isfinite(beside).sum(axis=1).tolist()
    return [
        float(row[(count - 1) // 2] + row[count // 2]) / 2 if count >= _FEWEST_BACKGROUND_POINTS else None
        for row, count in zip(inside, counts, strict=True)
    ]


def _tracking_noise(segment: MotionSegment) -> float:
    """Return the RMS length of the tracking error between frames, face widths.

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
    """Return the root mean square of each row's shortest nine tenths, shape (frames,).

    Args:
        lengths: Shape (frames, points); NaN for points that were lost.
        counts: Shape (frames,): the number of points that were not lost, at least 1.
    """
    kept = np.maximum(1, (_KEPT_SHARE * counts).astype(np.intp))
    # NaN sorts last, so a row begins with its shortest lengths.
    squares = np.cumsum(np.sort(lengths, axis=1) ** 2, axis=1)
    rms: NDArray[np.float64] = np.sqrt(squares[np.arange(len(kept)), kept - 1] / kept)
    return rms


# The nose that stands out from the face when the head turns.
#
# If a head turns or moves, points nearer to the camera move further. The best fitting motion of a plane
# explains the largest part of this motion (plane plus parallax: Irani and Anandan, ECCV 1996). The rest of
# each point is its depth times one common movement, the affine case of factorising tracked points into shape
# and motion (Tomasi and Kanade, IJCV 1992). The rest of a head shows a nose. The rest of a bent sheet, such
# as a paper mask around a head, shows the depth of a cylinder: a quadratic over the image, which is removed
# first.

_FEWEST_LOOKS = 3
_FEWEST_FRAMES = 4
_FEWEST_POINTS = 18
_SEEN_SHARE = 0.7
"""The share of a segment's frames in which a point must be found to count."""

_LOWEST_POINT = 0.8
"""Points lower than this share of the way from nose to mouth are left out, because speech moves lips and
chin."""

_LEAST_NOSE = 0.15
"""The least norm of the nose's shape over the points, without quadratics. Below it no points lie on the
nose."""

_QUADRATIC = 6
_FROM_TO_PERCENT = (10, 90)
"""The percentiles of the head's yaw whose distance is its turn."""


@dataclass(frozen=True, slots=True)
class NoseFinding:
    """The evidence of the motion for a nose.

    Attributes:
        evidence: The correlation of the points' parallax with a nose's shape, times the square root of (the
            number of points less six for each segment). Without a nose it is about standard normal.
        moved: RMS movement of the face within its segments, face widths.
        turned: The apparent yaw of the head, degrees, from the 10th to the 90th percentile.
        frames: The number of tracked frames that were used.
        share: Their share of all tracked frames; segments that ended early are not used.
    """

    evidence: float
    moved: float
    turned: float
    frames: int
    share: float


def measure_nose(scan: ScanObservations) -> NoseFinding | None:
    """Return the evidence for a nose in the motion that no plane explains; ``None`` without tracked motion.

    Args:
        scan: The scan; its motion segments and its frames' faces and poses are read.
    """
    frames = {frame.index: frame for frame in scan.usable}
    together = nose = rest = moved = 0.0
    points = used = 0
    for segment in scan.motion:
        began = frames.get(int(segment.frames[0]))
        shown = None if began is None else _segment_parallax(segment, began)
        if shown is None:
            continue
        together += shown.moved * float(shown.parallax @ shown.nose)
        nose += shown.moved * float(shown.nose @ shown.nose)
        rest += shown.moved * float(shown.parallax @ shown.parallax)
        points += len(shown.nose) - _QUADRATIC
        moved += shown.moved
        used += len(segment.frames)
    if nose <= 0 or rest <= 0:
        return None
    correlation = together / math.sqrt(nose * rest)
    return NoseFinding(
        evidence=correlation * math.sqrt(points),
        moved=math.sqrt(moved / used),
        turned=_turned(scan),
        frames=used,
        share=used / sum(len(segment.frames) for segment in scan.motion),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Parallax:
    """One segment's points. A quadratic of their places is removed from ``parallax`` and ``nose``.

    Attributes:
        parallax: Shape (n,): left-over motion along the face's motion, over the face's motion.
        nose: Shape (n,): how far a nose would stand out at each point.
        moved: The face's squared movement, summed over the frames.
    """

    parallax: NDArray[np.float64]
    nose: NDArray[np.float64]
    moved: float


def _segment_parallax(segment: MotionSegment, began: FrameObservation) -> _Parallax | None:
    if began.face is None or len(segment.frames) < _FEWEST_FRAMES:
        return None
    where = _places_on_face(segment, began.face)
    left_over = segment.left_over[:, segment.on_face].astype(np.float64)
    usable = np.isfinite(left_over[:, :, 0]).mean(axis=0) >= _SEEN_SHARE
    usable &= where.places[:, 1] < _LOWEST_POINT * where.mouth
    if usable.sum() < _FEWEST_POINTS:
        return None
    left_over, where = left_over[:, usable], replace(where, places=where.places[usable])
    moved = segment.positions[:, segment.on_face][:, usable].astype(np.float64)
    moved -= moved[0].copy()
    followed = np.isfinite(left_over[:, :, 0]).any(axis=1)
    left_over, moved = left_over[followed], moved[followed]
    # Relative to the segment's mean, so that its first frame has no special weight.
    seen = np.isfinite(left_over)
    left_over = np.where(seen, left_over, 0)
    left_over = np.where(seen, left_over - left_over.sum(axis=0) / seen.sum(axis=0), 0)
    shift = np.nanmean(moved, axis=1)
    shift -= shift.mean(axis=0)
    energy = (seen * (shift**2)[:, None, :]).sum(axis=(0, 2))
    if not (energy > 0).all():
        return None
    x, y = where.places.T
    plain = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0]
    nose = nose_ridge(where)
    nose -= plain @ (plain.T @ nose)
    if np.linalg.norm(nose) < _LEAST_NOSE:
        return None
    parallax = (left_over * shift[:, None, :]).sum(axis=(0, 2)) / energy
    parallax -= plain @ (plain.T @ parallax)
    return _Parallax(parallax=parallax, nose=nose, moved=float((shift**2).sum()))


def _places_on_face(segment: MotionSegment, face: DetectedFace) -> FacePlaces:
    """Return the places of the segment's points on the face in its first frame."""
    extent = face_extent(face)
    centre = np.array([extent.x, extent.y])
    return places_on_face(
        segment.positions[0, segment.on_face].astype(np.float64) * extent.width + centre, face
    )


def _turned(scan: ScanObservations) -> float:
    """Return the turn over the frames with a detected face; poses of followed faces are copies."""
    yaws = [frame.pose.yaw for frame in scan.usable if frame.pose is not None and not frame.followed]
    if len(yaws) < _FEWEST_LOOKS:
        return 0.0
    low, high = np.percentile(yaws, _FROM_TO_PERCENT)
    return float(high - low)


FEWEST_EYES = 8
"""The least number of frames with eyes in which blinks are counted."""

_JITTER_MULTIPLE = 5.0
"""The least fall of closed eyes, in multiples of the median change between frames. That median is 0 if most
frames reuse the ratios of an earlier, similar frame (``liveness.eye_watch``). Leaving those frames out would
lose the blinks of 8 of the 19 live scans with blinks, out of 50 live scans."""

_MOST_A_SECOND = 1.5
"""The most blinks per second, on average. More falls than that are noise of the landmarks."""
_OPEN_PERCENT = 75
"""The percentile of an eye's aspect ratios that is its open level. Blinks and downward looks lie below it."""


def count_blinks(
    times: Sequence[float], eyes: Sequence[tuple[float, float]], settings: ExpressSettings
) -> int:
    """Return how often both eyes close, and open again within ``longest_blink``.

    Args:
        times: Capture times of the frames, seconds, increasing.
        eyes: Eye aspect ratios (left, right) of the same frames.
        settings: How far the ratios must fall and recover, and the longest time between.

    Returns:
        The number of blinks; 0 if there are too few frames, if the eyes were not open long enough, or if the
        ratios fall so often that they are noise.
    """
    if len(eyes) < FEWEST_EYES:
        return 0
    level = open_level(eyes)
    if level.min() < settings.eyes_shut_level:
        return 0
    both = (np.array(eyes) / level).max(axis=1)
    jitter = float(np.median(np.abs(np.diff(both))))
    closed_below = min(settings.blink_depth, 1 - _JITTER_MULTIPLE * jitter)
    blinks = 0
    open_at: float | None = None
    fell = False
    for time, value in zip(times, both.tolist(), strict=True):
        if value >= settings.blink_recovery:
            if fell and open_at is not None and time - open_at <= settings.longest_blink:
                blinks += 1
            open_at, fell = time, False
        elif value < closed_below:
            fell = True
    return 0 if blinks > _MOST_A_SECOND * max(1.0, times[-1] - times[0]) else blinks


def open_level(eyes: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the aspect ratio of each open eye."""
    level: NDArray[np.float64] = np.percentile(np.array(eyes), _OPEN_PERCENT, axis=0)
    return level
