"""The depth of a head by its motion, and the motion that is a sign of life."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.express.motion import MicroMotion, PlanarMotion, motion_steps, typical_face_width
from liveness.express.settings import ExpressSettings
from liveness.extent import FacePlaces, face_extent, nose_ridge, places_on_face
from liveness.observation import FrameObservation, MotionSegment, ScanObservations
from liveness.signal import NEITHER, NamedSignal, Signal
from vision.face import DetectedFace

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
    """Returns the evidence for a nose in the motion that no plane explains; ``None`` without tracked motion.

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
    """Returns the places of the segment's points on the face in its first frame."""
    extent = face_extent(face)
    centre = np.array([extent.x, extent.y])
    return places_on_face(
        segment.positions[0, segment.on_face].astype(np.float64) * extent.width + centre, face
    )


def _turned(scan: ScanObservations) -> float:
    """Returns the turn over the frames with a detected face; poses of followed faces are copies."""
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
    """Returns the log odds that the motion shows the depth of a head; 0 if no signal of depth is assessed.

    Args:
        signals: Express' signals; those that do not measure depth are ignored.
    """
    scores = (one.score for one in signals if one.name in _DEPTH and one.score is not None)
    held = (min(_SUREST, max(1 - _SUREST, score)) for score in scores)
    return sum(math.log(score / (1 - score)) for score in held)


def measure_depth(scan: ScanObservations, settings: ExpressSettings | None = None) -> float:
    """Returns ``depth_odds`` of a scan, which may still be running. Takes a few milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces and poses are read.
        settings: Lines of the signals; the defaults of ``ExpressSettings`` if None.
    """
    lines = ExpressSettings() if settings is None else settings
    planar = PlanarMotion(motion_steps(scan)).assess(scan, lines)
    return depth_odds((planar, PoseConsistency().assess(scan, lines)))


# Finds signs of life: motion that a still sheet or an object does not have.
#
# They are required for LIVE and do not count for it, because a replayed person has them too.

_SIGNS: Final = frozenset({PlanarMotion.name, MicroMotion.name})


def life_signs(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Returns the signals that can be signs of life and were assessed.

    A blink is not one of them: a mask with eye holes has it too.

    Args:
        signals: Express' signals; the others are ignored.
    """
    return tuple(one for one in signals if one.name in _SIGNS and one.score is not None)


def has_sign_of_life(scan: ScanObservations, settings: ExpressSettings | None = None) -> bool:
    """Returns whether a scan, which may still be running, shows a sign of life; some milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces are read.
        settings: Lines of the signals; the defaults of ``ExpressSettings`` if None.
    """
    lines = ExpressSettings() if settings is None else settings
    steps = motion_steps(scan)
    found = life_signs((PlanarMotion(steps).assess(scan, lines), MicroMotion(steps).assess(scan, lines)))
    return any(one.score is not None and one.score >= NEITHER for one in found)
