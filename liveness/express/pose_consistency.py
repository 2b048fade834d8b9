"""Does the nose stand out as far as the head turns?

Where a head turns or moves, what is nearer to the camera moves further. The plane's motion that fits a
face best takes the largest part away (plane plus parallax: Irani and Anandan, ECCV 1996), and what it leaves
of each point is its depth times one common movement, the affine case of factorising tracked points into shape
and motion (Tomasi and Kanade, IJCV 1992). A head leaves a nose. A bent sheet, a paper mask around a head
included, leaves the depth of a cylinder: a quadratic in the picture, which is taken out first.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liveness.express.motion_steps import typical_face_width
from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from liveness.face_relief import FacePlaces, nose_ridge, places_on_face
from liveness.observation import FrameObservation, MotionSegment, ScanObservations
from liveness.signal import Signal, assessed, not_assessed
from vision.face import DetectedFace

_STEEPNESS = 0.8
_HIGHEST = 0.9
_LOWEST = 0.1
_LEAST_SHARE = 0.5
_FEWEST_LOOKS = 3
_FEWEST_FRAMES = 4
_FEWEST_POINTS = 18
_SEEN_SHARE = 0.7
"""Share of a segment's frames in which a point must be found to count."""

_LOWEST_POINT = 0.8
"""Points lower than this share of the way from nose to mouth are left out: lips and chin move in talking."""

_LEAST_NOSE = 0.15
"""Length of the nose's shape over the points, once quadratics are out; below it no points lie on the nose."""

_QUADRATIC = 6
_FROM_TO_PERCENT = (10, 90)
"""Percentiles of the head's turns between which it is said to have turned."""


@dataclass(frozen=True, slots=True)
class NoseFinding:
    """How much of a nose the motion shows.

    Attributes:
        evidence: Correlation of the points' parallax with a nose's shape, times the square root of how many
            points speak: about a standard normal value where there is no nose.
        moved: RMS movement of the face within its segments, face widths.
        turned: Degrees by which the head seems to turn to the sides, between the 10th and 90th percentile.
        frames: Tracked frames that were used.
        share: These over all tracked frames; segments that were torn soon are not used.
    """

    evidence: float
    moved: float
    turned: float
    frames: int
    share: float


class PoseConsistency:
    """Correlation of parallax with a nose's shape, over all points of all tracked segments.

    A nose speaks for a head at once. That none is seen speaks against one only where the head seems to turn:
    of a head that hardly moves the nose does not show, and a waved sheet does not look like a turn.
    """

    name = "pose_consistency"
    label = "Has a head's depth when it turns"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed where the head hardly turns and no nose shows."""
        if (width := typical_face_width(scan)) < settings.minimum_face_width:
            return self._unknown(
                f"The face is too small to measure its depth ({width:.0f} pixels in the view)."
            )
        found = measure_nose(scan)
        if found is None or found.frames < settings.minimum_steps:
            return self._unknown("The face could be followed in too few frames.")
        if found.share < _LEAST_SHARE:
            return self._unknown("The face moved so fast that its points were lost too often.")
        if found.moved < settings.least_motion:
            return self._unknown(
                f"The face moved by {100 * found.moved:.2f} % of its width, too little to see its depth."
            )
        if found.evidence < settings.nose_evidence and found.turned < settings.least_turn:
            return self._unknown(
                f"The head turned by {found.turned:.0f} degrees, too little to see its depth."
            )
        score = 1 / (1 + math.exp(-_STEEPNESS * (found.evidence - settings.nose_line)))
        seen = "a nose stands out" if score >= 0.5 else "no nose stands out, as on a sheet or paper mask"
        return assessed(
            name=self.name,
            label=self.label,
            score=min(_HIGHEST, max(_LOWEST, score)),
            detail=f"While the head moved, {seen} (evidence {found.evidence:.1f}).",
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)


def measure_nose(scan: ScanObservations) -> NoseFinding | None:
    """Look for a nose in what the plane's motion leaves; ``None`` where nothing could be followed.

    Args:
        scan: Read are the motion segments, and faces and poses of the frames.
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
    """One segment's points, both columns without what a quadratic of their places explains.

    Attributes:
        parallax: Shape (n,): left-over motion along the face's motion, over the face's motion.
        nose: Shape (n,): how far a nose would stand out there.
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
    # Against the segment's mean, so that its first frame is one among many.
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
    """Where the segment's points lie on the face in its first frame."""
    extent = face_extent(face)
    centre = np.array([extent.x, extent.y])
    return places_on_face(
        segment.positions[0, segment.on_face].astype(np.float64) * extent.width + centre, face
    )


def _turned(scan: ScanObservations) -> float:
    """Of the frames that a detector looked at; a pose that was carried on tells nothing new."""
    yaws = [frame.pose.yaw for frame in scan.usable if frame.pose is not None and not frame.followed]
    if len(yaws) < _FEWEST_LOOKS:
        return 0.0
    low, high = np.percentile(yaws, _FROM_TO_PERCENT)
    return float(high - low)
