"""The motion of each tracked frame in a few numbers, its signals, and the depth of a head by its motion."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.extent import FacePlaces, face_extent, nose_ridge, places_on_face
from liveness.observation import FrameObservation, MotionSegment, RegionChange, ScanObservations
from liveness.verdict import NEITHER, NamedSignal, Signal, score_against_line
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


class _MotionSignal(NamedSignal):
    """An ``ExpressSignal`` that is measured in the steps of a scan."""

    def __init__(self, steps: Sequence[MotionStep] | None = None) -> None:
        """Take the scan's ``motion_steps``; ``assess`` computes them if None."""
        self._steps = steps


# The signal of a face that moves as a body with depth, not as a flat picture.
#
# Two views of a plane are related by a homography (Hartley and Zisserman, Multiple View Geometry,
# 2nd ed., 13.1). A turning head and a talking mouth leave motion that no homography explains.

_PLANE_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class PlanarMotion(_MotionSignal):
    """Left-over motion over motion, the 80th percentile over the scan's tracked frames."""

    name = "planar_motion"
    label = "Moves like a head, not like a sheet"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the face hardly moves or is too small."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        if len(steps) < settings.minimum_steps:
            return self.unknown(f"The face could be followed in {len(steps)} frames only.")
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self.unknown(
                f"The face is too small to measure its depth ({width:.0f} pixels in the view)."
            )
        moved = movement(steps)
        if moved < settings.least_motion:
            return self.unknown(
                f"The face moved by {100 * moved:.2f} % of its width, too little to measure its depth."
            )
        ratio = left_over_ratio(steps)
        score = score_against_line(ratio, settings.plane_line, _PLANE_STEEPNESS)
        found = "more than a flat picture leaves" if score >= 0.5 else "as little as a flat picture leaves"
        return self.scored(
            score, f"A plane's motion leaves {100 * ratio:.1f} % of the movement unexplained, {found}."
        )


# The signal of eyes and mouth that move independently of the rest of the face.
#
# Two frames of the face are aligned as if the face were flat. All parts of a flat image then match equally
# well. In a living face, a blink, a glance or a word changes the eyes or the mouth more than the rest.

_PART_STEEPNESS = 3.0
_MOUTH_SHARE = 0.8
"""The weight of the mouth's change. Lips have long edges, which show a misalignment more than other parts."""

_NOISE_FLOOR = 1e-4
_STRONG_CHANGES = 90
"""The percentile of the changes that represents the strong ones, because eyes and mouth move only
sometimes."""


class MicroMotion(_MotionSignal):
    """The change of eyes or mouth over the change of the rest: the 90th percentile over the frames.

    A head that turns does not align as a plane: all its parts differ, which hides the movement of eyes and
    mouth. A lack of such movement therefore counts against a face only if the face moves like a flat picture.
    """

    name = "micro_motion"
    label = "Eyes and mouth move within the face"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        changes = [step.change for step in steps if step.change is not None]
        if len(changes) < settings.minimum_steps:
            return self.unknown(f"The face could be followed in {len(changes)} frames only.")
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self.unknown(
                f"The face is too small to measure eyes and mouth ({width:.0f} pixels in the view)."
            )
        rest = np.array([change.rest for change in changes]) + _NOISE_FLOOR
        eyes = float(np.percentile(np.array([change.eyes for change in changes]) / rest, _STRONG_CHANGES))
        mouth = float(np.percentile(np.array([change.mouth for change in changes]) / rest, _STRONG_CHANGES))
        strongest = max(eyes, _MOUTH_SHARE * mouth)
        score = score_against_line(strongest, settings.part_line, _PART_STEEPNESS)
        if score < 0.5 and left_over_ratio(steps) >= settings.plane_line:
            return self.unknown(
                "The head moves in depth, so eyes and mouth cannot be compared with the rest."
            )
        part = "eyes" if eyes >= _MOUTH_SHARE * mouth else "mouth"
        found = "by themselves" if score >= 0.5 else "no more than a picture's"
        return self.scored(
            score, f"The {part} changed {strongest:.1f} times as much as the rest of the face: {found}."
        )


# The signal of a face that is too still to be alive.
#
# A person who holds still sways with breath and pulse, and a phone in the hand sways too. A print on a stand
# in front of a camera on a stand shows only the camera's noise.

_STILLNESS_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Stillness(_MotionSignal):
    """The movement of the face within a second, the 80th percentile over the scan.

    Movement alone is no sign of life, so the score never exceeds 0.5, which counts for neither side.
    """

    name = "stillness"
    label = "Not unnaturally still"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        steps = motion_steps(scan) if self._steps is None else self._steps
        if len(steps) < settings.minimum_steps:
            return self.unknown(f"The face could be followed in {len(steps)} frames only.")
        moved = movement(steps)
        score = min(0.5, score_against_line(moved, settings.stillness_line, _STILLNESS_STEEPNESS))
        found = (
            "as a held phone and a breathing person do" if score >= 0.5 else "as little as a print on a stand"
        )
        return self.scored(
            score, f"The face moves by {100 * moved:.2f} % of its width within a second, {found}."
        )


_SURROUNDINGS_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Surroundings(_MotionSignal):
    """Scores low if the background moves with the face, as it does on a sheet or a screen.

    The plane of the face is extended over the background. The measurement is the median, over the steps in
    which the face moved, of the background's deviation from that plane's motion, divided by the face's
    movement: near 0 if both move together. Independent movement is no sign of life, because a cut-out moves
    independently too, so the score never exceeds 0.5, which counts for neither side.
    """

    name = "surroundings"
    label = "Moves apart from the background"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the background is plain or the face hardly moves."""
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self.unknown(f"The face is too small to compare ({width:.0f} pixels in the view).")
        ratios = [
            step.surroundings / step.moved
            for step in (motion_steps(scan) if self._steps is None else self._steps)
            if step.surroundings is not None and step.moved >= settings.surroundings_motion
        ]
        if len(ratios) < settings.minimum_steps:
            return self.unknown(
                f"Face and background could be compared in {len(ratios)} frames only: the background is "
                "plain or the face moved little."
            )
        ratio = float(np.median(ratios))
        score = min(0.5, score_against_line(ratio, settings.surroundings_line, _SURROUNDINGS_STEEPNESS))
        found = "they move apart" if score >= 0.5 else "they move together, as a sheet or a screen does"
        return self.scored(
            score,
            "The motions of face and background differ by "
            f"{100 * ratio:.0f} % of the face's motion: {found}.",
        )


# The signal of a nose that stands out from the face when the head turns.
#
# If a head turns or moves, points nearer to the camera move further. The best fitting motion of a plane
# explains the largest part of this motion (plane plus parallax: Irani and Anandan, ECCV 1996). The rest of
# each point is its depth times one common movement, the affine case of factorising tracked points into shape
# and motion (Tomasi and Kanade, IJCV 1992). The rest of a head shows a nose. The rest of a bent sheet, such
# as a paper mask around a head, shows the depth of a cylinder: a quadratic over the image, which is removed
# first.

_STEEPNESS = 0.8
_HIGHEST = 0.97
"""The highest score, from an evidence of 4.8 on. With 0.9 (3.2), a clear nose shows depth only if a plane
leaves 19 % of the motion unexplained. 55 simulated sheets have an evidence of 2.5 or less."""
_LOWEST = 0.1
_LEAST_SHARE = 0.5
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


class PoseConsistency(NamedSignal):
    """The correlation of parallax with a nose's shape, over all points of all tracked segments.

    A nose always counts for a head. The lack of a nose counts against a head only if the head seems to turn,
    because a head that hardly moves does not show its nose. A waved sheet does not look like a turn.
    """

    name = "pose_consistency"
    label = "Has a head's depth when it turns"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the head hardly turns and shows no nose."""
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self.unknown(
                f"The face is too small to measure its depth ({width:.0f} pixels in the view)."
            )
        found = measure_nose(scan)
        if found is None or found.frames < settings.minimum_steps:
            return self.unknown("The face could be followed in too few frames.")
        if found.share < _LEAST_SHARE:
            return self.unknown("The face moved so fast that its points were lost too often.")
        if found.moved < settings.least_motion:
            return self.unknown(
                f"The face moved by {100 * found.moved:.2f} % of its width, too little to measure its depth."
            )
        if found.evidence < settings.nose_evidence and found.turned < settings.least_turn:
            return self.unknown(
                f"The head turned by {found.turned:.0f} degrees, too little to measure its depth."
            )
        score = 1 / (1 + math.exp(-_STEEPNESS * (found.evidence - settings.nose_line)))
        seen = "the nose stood out" if score >= 0.5 else "no nose stood out, as on a sheet or paper mask"
        return self.scored(
            min(_HIGHEST, max(_LOWEST, score)),
            f"While the head moved, {seen} (evidence {found.evidence:.1f}).",
        )


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


_DEPTH: Final = frozenset({PlanarMotion.name, PoseConsistency.name})
"""The signals of depth: parallax over the whole face, and parallax of the nose."""
_SUREST: Final = 0.99
"""The limit of a score, so that one signal of depth does not decide alone."""


def depth_odds(signals: Iterable[Signal]) -> float:
    """Return the log odds that the motion shows the depth of a head; 0 if no signal of depth is assessed.

    Args:
        signals: Express' signals; those that do not measure depth are ignored.
    """
    scores = (one.score for one in signals if one.name in _DEPTH and one.score is not None)
    held = (min(_SUREST, max(1 - _SUREST, score)) for score in scores)
    return sum(math.log(score / (1 - score)) for score in held)


def measure_depth(scan: ScanObservations) -> float:
    """Return ``depth_odds`` of a scan, which may still be running. This takes a few milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces and poses are read.
    """
    lines = ExpressSettings()
    planar = PlanarMotion(motion_steps(scan)).assess(scan, lines)
    return depth_odds((planar, PoseConsistency().assess(scan, lines)))


# Finds signs of life: motion that a still sheet or an object does not have.
#
# They are required for LIVE and do not count for it, because a replayed person has them too.

LIFE_SIGNS: Final = frozenset({PlanarMotion.name, MicroMotion.name})


def life_signs(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Return the signals that can be signs of life and were assessed.

    A blink is not one of them: a mask with eye holes has it too.

    Args:
        signals: Express' signals; the others are ignored.
    """
    return tuple(one for one in signals if one.name in LIFE_SIGNS and one.score is not None)


def has_sign_of_life(scan: ScanObservations) -> bool:
    """Return whether a scan, which may still be running, shows a sign of life; some milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces are read.
    """
    lines = ExpressSettings()
    steps = motion_steps(scan)
    found = life_signs((PlanarMotion(steps).assess(scan, lines), MicroMotion(steps).assess(scan, lines)))
    return any(one.score is not None and one.score >= NEITHER for one in found)
