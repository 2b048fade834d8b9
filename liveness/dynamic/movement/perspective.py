"""The change of the face's shape by perspective while it comes closer.

Parts nearer to the camera grow faster. Between 45 and 25 cm, a nose's tip grows by about 6 % more than the
eyes, and ears by 10 % less. A picture of a face grows evenly, however it is held. The best fitting motion of
a plane is therefore removed, and three properties of the rest are measured (``fit_relief``):

* Relief: the rest moves as a surface with depth does, not at random. A flat picture has no relief.
* Curvature in two directions: paper and screens bend, but only round one axis at a time (their Gaussian
  curvature is zero: C. F. Gauss, 1827). A face is curved in both directions and has a nose. The relief must
  therefore have a part that no surface bent round one axis has.
* Perspective: the same relief must have come closer, not only turned. In a video on a screen a head turns as
  it did when it was filmed, but bringing the screen closer adds no perspective.

A head has all three, and so do a mask and a rendered or filmed approach.

One approach often shows too little perspective. The errors of several approaches are independent, because
each chooses new points, so together they show it with more certainty (``pool_findings``).

The face is followed from far to near, always relative to the far view. Between frames a face hardly grows,
but from the far oval to the near one its width doubles, and the window around a point looks different in both
views. Each new view is therefore first aligned with the far view by the motion of the plane in the previous
frame, and only the remaining motion is searched (image alignment by warping: Lucas and Kanade, IJCAI 1981).
Errors do not add up, because every view is compared with the first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from statistics import fmean
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.extent import FacePlaces, face_extent, head_curve, nose_ridge, places_on_face
from liveness.observation import FrameObservation, GreyView
from liveness.tracking import (
    FloatPoints,
    TrackingStart,
    apply_plane_motion,
    follow,
    plane_motion,
    start_tracking,
)
from vision.face import DetectedFace

_FEWEST_KEPT: Final = 0.4
"""The share of the face's points below which the face is lost."""
_LARGEST_LEAP: Final = 1.25
"""The factor by which a face may grow or shrink between two frames. Beyond it, the prediction would miss."""
_SOFTENING: Final = 0.4
"""The blur before a view is shrunk, pixels per unit of growth beyond 1."""
_LEAST_BLUR: Final = 0.05
"""The least blur, pixels, because OpenCV derives a blur of 0 from the size of the kernel."""
_AROUND: Final = 10
"""The distance from a place within which the growth there is measured, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Closeup:
    """One frame of the approach, relative to the far view; lengths in face widths of the far view.

    Attributes:
        frame: The frame's index in the scan.
        growth: The face's width over that in the far view, by the motion of the plane.
        left_over: Shape (n, 2): the part of each point's motion that no motion of a plane explains, in the
            coordinates of the far view; NaN for lost points.
    """

    frame: int
    growth: float
    left_over: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Parallax:
    """A whole approach.

    Attributes:
        face: The face of the far view, frame pixels.
        frame_width: The width of the frame, pixels.
        frame_height: The height of the frame, pixels.
        face_pixels: The width of the face in the far view, pixels of the view.
        places: Shape (n, 2): the points of the face, frame pixels of the far view.
        closeups: The frames after the far view, in order.
    """

    face: DetectedFace
    frame_width: int
    frame_height: int
    face_pixels: float
    places: NDArray[np.float64]
    closeups: tuple[Closeup, ...]


class ApproachTracker:
    """Follows one approach. Keeps only the far view. Not safe to call from several threads at once."""

    def __init__(self) -> None:
        self._began: tuple[TrackingStart, FrameObservation, DetectedFace] | None = None
        self._motion: NDArray[np.float64] = np.eye(3)
        self._closeups: list[Closeup] = []
        self._lost = False

    def begin(self, observation: FrameObservation) -> bool:
        """Start again with ``observation`` as the far view, and discard earlier frames.

        Returns:
            Whether the face has enough texture to be followed.
        """
        self._began, self._motion, self._closeups, self._lost = None, np.eye(3), [], False
        if observation.view is None or observation.face is None or observation.faces != 1:
            return False
        start = start_tracking(observation.view, observation.face, observation.view_scale)
        if start is not None:
            self._began = start, observation, observation.face
        return start is not None

    def track_frame(self, observation: FrameObservation) -> None:
        """Follow the face to the next frame, which must have its view. Does nothing once it is lost."""
        if self._began is None or self._lost or observation.view is None:
            return
        start, far, _ = self._began
        if (observation.width, observation.height) != (far.width, far.height):
            self._lost = True
            return
        found = self._found(start, observation.view)
        left = plane_motion(start, found)
        kept = np.isfinite(found[start.on_face, 0]).mean()
        if left is None or kept < _FEWEST_KEPT:
            self._lost = True
            return
        motion = self._motion @ left
        motion /= motion[2, 2]
        growth, before = _growth_at(motion, start.centre), _growth_at(self._motion, start.centre)
        if not 1 / _LARGEST_LEAP < growth / before < _LARGEST_LEAP:
            self._lost = True
            return
        self._motion = motion
        on_face = start.on_face
        left_over = (found - apply_plane_motion(left, start.points))[on_face].astype(np.float64)
        self._closeups.append(
            Closeup(
                frame=observation.index,
                growth=growth,
                left_over=left_over / start.face_width,
            )
        )

    def parallax(self) -> Parallax | None:
        """Return the measurements of the approach so far; ``None`` without a far view."""
        if self._began is None:
            return None
        start, far, face = self._began
        return Parallax(
            face=face,
            frame_width=far.width,
            frame_height=far.height,
            face_pixels=start.face_width,
            places=start.points[start.on_face].astype(np.float64) / far.view_scale,
            closeups=tuple(self._closeups),
        )

    def _found(self, start: TrackingStart, view: GreyView) -> FloatPoints:
        """Return the positions of the far view's points in ``view``, aligned by the motion so far."""
        growth = _growth_at(self._motion, start.centre)
        if growth > 1:
            blur = _SOFTENING * (growth - 1) + _LEAST_BLUR
            view = np.asarray(cv2.GaussianBlur(view, (0, 0), blur), np.uint8)
        height, width = start.view.shape
        laid_over = cv2.warpPerspective(
            view,
            self._motion,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        found, _ = follow(start, np.asarray(laid_over, np.uint8), start.points, far=True)
        return found


def _growth_at(motion: NDArray[np.float64], centre: FloatPoints) -> float:
    """Return the factor by which ``motion`` stretches lengths around ``centre``."""
    around = _AROUND * np.array([[-1, 0], [1, 0], [0, -1], [0, 1]], np.float32) + centre
    moved = apply_plane_motion(motion, around)
    across, along = np.linalg.norm(moved[1] - moved[0]), np.linalg.norm(moved[3] - moved[2])
    return float(np.sqrt(across * along) / (2 * _AROUND))


# Fits a face's relief, and how it moved, to the motion of its points that no plane explains.
#
# For a surface of depth z over some plane, the motion of point p in frame t that the plane does not explain
# is (plane plus parallax: Irani and Anandan, ECCV 1996)::
#
#     z * (k * s * p  +  u)  +  the error of the plane's motion
#
# where s is the strength of the perspective, (growth - 1) / far distance; u is one shift per frame, caused by
# sway and turns of the head; and k is 1 for an object that came closer. All lengths are in face widths.
#
# z, u and k are fitted in turns by weighted least squares (alternating least squares, as for factorisation:
# Tomasi and Kanade, IJCV 1992). Because heads differ, z is not a template but any smooth surface: polynomials
# up to the fourth degree and a ridge at the nose. z is determined only up to a factor, so it is scaled to the
# size of a typical head; k is then the share of a head's perspective.
#
# The fit also explains part of the noise. As a control, a relief is therefore also fitted to the motion
# *across* the directions in which depth can move a point. Across them, a surface of any shape causes no
# motion, but errors of tracking cause as much as along them.

_NOSE: Final = 0.15
"""The height of a nose's tip, face widths: 22 mm of 145 mm."""

_DEGREE: Final = 4
_HALF_WIDTH, _HALF_HEIGHT = 0.45, 0.55
"""The unit of the polynomials, face widths; about the extent of the tracked points."""

_STIFFNESS: Final = 1e-3
"""The share of the mean information that is added for every coefficient of the relief."""

_SWAY_PRIOR: Final = 0.008
"""The information that is added for every shift, squared face widths of relief. It corresponds to errors of
tracking of 0.3 % of the face's width and a shift of at most 0.03 without evidence."""

_ROUNDS: Final = 8
_OUTLIER: Final = 2.5
"""The unexplained motion over its typical size at which a point counts half (Cauchy's weights)."""

_TINY: Final = 1e-9
"""Keeps a division finite and a system of equations solvable."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaneLeftovers:
    """The motion of a face's points that no plane explains, while the face grows.

    Attributes:
        where: The places of the n points.
        left_over: Shape (t, n, 2): the motion across and along the face, face widths; NaN for lost points.
        strength: Shape (t,): growth less 1, over the far distance in face widths.
    """

    where: FacePlaces
    left_over: NDArray[np.float64]
    strength: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReliefFit:
    """A relief and its motion.

    Attributes:
        relief: Shape (n,): the height of each point over the plane that fits the face best, face widths;
            always scaled to the size of a typical head's relief.
        control: Shape (n,): the same from motion that no relief can cause, at the same scale.
        perspective: k: 1 if the relief came closer as that of a head of this size does, 0 if it only turned.
        perspective_error: The standard error of ``perspective``, if the errors of one point are the same in
            all frames and the relief is known.
        explained: The root mean square of the motion that the relief explains, face widths.
        unexplained: The root mean square of the rest, face widths.
        expected: The root mean square of the motion of these points by perspective, for a typical head that
            does not turn, face widths.
    """

    relief: NDArray[np.float64]
    control: NDArray[np.float64]
    perspective: float
    perspective_error: float
    explained: float
    unexplained: float
    expected: float


def fit_relief(seen: PlaneLeftovers) -> ReliefFit | None:
    """Return the relief that explains most; ``None`` if the points determine none.

    Args:
        seen: At least a dozen frames and about two dozen points.
    """
    try:
        found = _fitted(seen)
    except np.linalg.LinAlgError:
        return None
    numbers = (found.perspective, found.perspective_error, found.explained, found.unexplained, found.expected)
    return found if np.isfinite(numbers).all() and np.isfinite(found.relief).all() else None


def _fitted(seen: PlaneLeftovers) -> ReliefFit:
    places, found = seen.where.places, np.isfinite(seen.left_over[:, :, 0])
    moved = np.where(found[:, :, None], seen.left_over, 0.0)
    weights = found.astype(np.float64)
    surfaces = _surfaces(seen.where)
    usual = _without_plane(head_curve(seen.where) + _NOSE * nose_ridge(seen.where), places)
    size = float(np.linalg.norm(usual))
    relief, control = usual, np.zeros_like(usual)
    motion = _Motion(seen, moved)
    motion.fit(relief, weights)
    expected = motion.perspective_alone
    for _ in range(_ROUNDS):
        weights = found / (1 + motion.outlying(relief, found) ** 2)
        along = _heights(surfaces, motion.ways, motion.without_plane, weights)
        turned = np.stack([-motion.ways[:, :, 1], motion.ways[:, :, 0]], axis=-1)
        across = _heights(surfaces, turned, motion.without_plane, weights)
        scale = size / max(float(np.linalg.norm(along)), _TINY)
        scale = scale if float(along @ usual) >= 0 else -scale
        relief, control = along * scale, across * scale
        motion.fit(relief, weights)
    rest = motion.rest(relief)
    total = max(float(weights.sum()), _TINY)
    made = relief[None, :, None] * motion.ways
    return ReliefFit(
        relief=relief,
        control=control,
        perspective=motion.perspective,
        perspective_error=motion.error(rest, weights),
        explained=float(np.sqrt((weights[:, :, None] * made**2).sum() / total)),
        unexplained=float(np.sqrt((weights[:, :, None] * rest**2).sum() / total)),
        expected=expected,
    )


class _Motion:
    """The motion of a given relief: the planes, the shifts and the perspective of all frames."""

    def __init__(self, seen: PlaneLeftovers, moved: NDArray[np.float64]) -> None:
        self._places = seen.where.places
        self._strength = seen.strength
        self._moved = moved
        self._plane = _plane_motions(self._places)
        self._shifts = np.zeros((len(moved), 2))
        self._planes = np.zeros_like(moved)
        self._clear = np.zeros_like(moved)
        self.perspective = 0.0
        self.perspective_alone = 0.0

    @property
    def ways(self) -> NDArray[np.float64]:
        """Shape (t, n, 2): the motion of a point of depth 1."""
        approach = self.perspective * self._strength[:, None, None] * self._places
        return np.asarray(approach + self._shifts[:, None, :])

    @property
    def without_plane(self) -> NDArray[np.float64]:
        """Shape (t, n, 2): the left-over motion without the errors of the planes."""
        return np.asarray(self._moved - self._planes)

    def rest(self, relief: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the motion that ``relief`` does not explain, shape (t, n, 2)."""
        return np.asarray(self.without_plane - relief[None, :, None] * self.ways)

    def outlying(self, relief: NDArray[np.float64], found: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the unexplained motion of each point over ``_OUTLIER`` times the median, shape (t, n)."""
        lengths = np.linalg.norm(self.rest(relief), axis=2)
        return np.asarray(lengths / (_OUTLIER * max(float(np.median(lengths[found])), _TINY)))

    def fit(self, relief: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Fit the motion to a relief."""
        none = np.zeros_like(relief)
        sideways = np.stack([np.stack([relief, none], 1), np.stack([none, relief], 1)], axis=2)
        design = np.concatenate([self._plane, sideways], axis=2)
        count = design.shape[2]
        prior = np.full(count, _TINY)
        prior[-2:] = _SWAY_PRIOR
        information = np.einsum("tn,nci,ncj->tij", weights, design, design) + np.diag(prior)
        nearer = self._strength[:, None, None] * relief[None, :, None] * self._places

        def coefficients(field: NDArray[np.float64]) -> NDArray[np.float64]:
            sums = np.einsum("tn,nci,tnc->ti", weights, design, field)
            return np.linalg.solve(information, sums[:, :, None])[:, :, 0]

        clear = nearer - np.einsum("nci,ti->tnc", design, coefficients(nearer))
        weighted = weights[:, :, None] * clear
        power = max(float((weighted * clear).sum()), _TINY)
        self._clear = weighted / power
        self.perspective = float((weighted * self._moved).sum()) / power
        self.perspective_alone = float(np.sqrt(power / max(float(weights.sum()), _TINY)))
        found = coefficients(self._moved - self.perspective * nearer)
        self._planes = np.einsum("nci,ti->tnc", design[:, :, :-2], found[:, :-2])
        self._shifts = found[:, -2:]

    def error(self, rest: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
        """Return the standard error of the perspective. Points are independent, a point's frames are not."""
        return float(
            np.sqrt((np.einsum("tnc,tnc->n", self._clear, rest * (weights[:, :, None] > 0)) ** 2).sum())
        )


def _heights(
    surfaces: NDArray[np.float64],
    ways: NDArray[np.float64],
    moved: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the smooth relief that best explains the motion ``moved`` along ``ways``."""
    power = np.einsum("tn,tnc,tnc->n", weights, ways, ways)
    information = surfaces.T @ (power[:, None] * surfaces)
    information += np.eye(len(information)) * max(
        _STIFFNESS * float(np.trace(information)) / len(information), _TINY
    )
    sums = surfaces.T @ np.einsum("tn,tnc,tnc->n", weights, ways, moved)
    return np.asarray(surfaces @ np.linalg.solve(information, sums))


def _surfaces(where: FacePlaces) -> NDArray[np.float64]:
    """Return an orthonormal basis of smooth reliefs without planes, shape (n, k)."""
    x, y = where.places[:, 0] / _HALF_WIDTH, where.places[:, 1] / _HALF_HEIGHT
    shapes = [
        x**across * y ** (degree - across) for degree in range(2, _DEGREE + 1) for across in range(degree + 1)
    ]
    stacked = np.stack([*shapes, nose_ridge(where)], axis=1)
    return np.linalg.qr(_without_plane(stacked, where.places))[0]


def _without_plane(heights: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``heights`` over the plane that fits them best."""
    plane = np.column_stack([np.ones(len(places)), places])
    return np.asarray(heights - plane @ np.linalg.lstsq(plane, heights, rcond=None)[0])


def _plane_motions(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the small movements that a plane's motion can explain, shape (n, 2, 8)."""
    x, y = places.T
    none, one = np.zeros_like(x), np.ones_like(x)
    columns = [
        (one, none), (none, one), (x, none), (none, x), (y, none), (none, y), (x * x, x * y), (x * y, y * y),
    ]  # fmt: skip
    return np.stack([np.stack(column, axis=1) for column in columns], axis=2)


@dataclass(frozen=True, slots=True)
class PerspectiveSettings:
    """The parameters of the measurement of perspective.

    Attributes:
        focal: The focal length over the shorter side of the frame, which stays the same if a phone is turned:
            0.8 to 1.2 for phones' front cameras.
        smallest_face: The least width of the far face, pixels of the view. In smaller faces, the tracking
            error is as large as the motion of bent paper.
        least_growth: The least growth of the face.
        fewest_frames: The least number of frames after the far view.
        fewest_points: The least number of points on the face.
        seen_share: The share of the frames in which a point must be found to count.
        understated: The factor by which the fit understates the error of the perspective, because it assumes
            the relief to be known.
        axes: The number of directions of the axis round which a sheet may be bent.
        bend_degree: The degree of the polynomial that describes a bent sheet's profile.
    """

    focal: float
    smallest_face: float
    least_growth: float
    fewest_frames: int
    fewest_points: int
    seen_share: float
    understated: float
    axes: int
    bend_degree: int


@dataclass(frozen=True, slots=True)
class PerspectiveFinding:
    """The measurements of one approach, or of several together.

    Attributes:
        depth: The perspective over that of a typical head with the same relief: about 1 for a head, 0 for an
            object that did not come closer.
        error: The standard error of ``depth``, including the error of the relief.
        clarity: The motion that the relief explains, over the motion that it does not (root mean squares).
        expected: The motion that a typical head shows even if it does not turn, over the unexplained motion.
        curved: The share of the relief that no surface bent round one axis fits (root mean square).
        curved_clarity: That part of the relief, over the part that tracking errors alone would cause.
        growth: The largest growth of the face since the far view; the mean over several approaches.
        frames: The number of frames that were used.
        points: The number of points on the face that were used; the least of several approaches.
    """

    depth: float
    error: float
    clarity: float
    expected: float
    curved: float
    curved_clarity: float
    growth: float
    frames: int
    points: int


def large_enough(parallax: Parallax, settings: PerspectiveSettings) -> bool:
    """Return whether the far face is large enough in its view to be measured."""
    return parallax.face_pixels >= settings.smallest_face


def measure_perspective(parallax: Parallax, settings: PerspectiveSettings) -> PerspectiveFinding | None:
    """Return the finding of an approach; ``None`` if the face was too small, grew too little or was lost."""
    close, growth = parallax.closeups, max((one.growth for one in parallax.closeups), default=1.0)
    if len(close) < settings.fewest_frames or growth < settings.least_growth:
        return None
    if not large_enough(parallax, settings):
        return None
    where = places_on_face(parallax.places, parallax.face)
    left_over = np.stack([closeup.left_over for closeup in close]) @ where.upright
    usable = np.isfinite(left_over[:, :, 0]).mean(axis=0) >= settings.seen_share
    if usable.sum() < settings.fewest_points:
        return None
    shorter = min(parallax.frame_width, parallax.frame_height)
    distance = settings.focal * shorter / face_extent(parallax.face).width
    used = FacePlaces(where.places[usable], where.upright, where.eyes, where.mouth)
    fitted = fit_relief(
        PlaneLeftovers(
            where=used,
            left_over=left_over[:, usable],
            strength=np.array([(closeup.growth - 1) / distance for closeup in close]),
        )
    )
    if fitted is None:
        return None
    return _finding(fitted, used, settings, growth=growth, frames=len(close))


def pool_findings(findings: Sequence[PerspectiveFinding]) -> PerspectiveFinding | None:
    """Return the common finding of several approaches of one face; ``None`` without approaches.

    Perspectives are weighted by their certainty. If they differ by more than their errors allow, the error is
    increased accordingly (R. T. Birge, Phys. Rev. 40, 1932), so that one approach of a head does not make up
    for another without perspective. The other measurements are averaged, except that frames are summed and
    the fewest points count.
    """
    if not findings:
        return None
    weights = [1 / max(one.error, _TINY) ** 2 for one in findings]
    total = sum(weights)
    depth = sum(weight * one.depth for weight, one in zip(weights, findings, strict=True)) / total
    spread = sum(weight * (one.depth - depth) ** 2 for weight, one in zip(weights, findings, strict=True))
    widened = math.sqrt(max(1.0, spread / max(1, len(findings) - 1)))
    return PerspectiveFinding(
        depth=depth,
        error=widened / math.sqrt(total),
        clarity=fmean(one.clarity for one in findings),
        expected=fmean(one.expected for one in findings),
        curved=fmean(one.curved for one in findings),
        curved_clarity=fmean(one.curved_clarity for one in findings),
        growth=fmean(one.growth for one in findings),
        frames=sum(one.frames for one in findings),
        points=min(one.points for one in findings),
    )


def _finding(
    fitted: ReliefFit, where: FacePlaces, settings: PerspectiveSettings, *, growth: float, frames: int
) -> PerspectiveFinding | None:
    unexplained = max(fitted.unexplained, _TINY)
    size = max(_root_mean_square(fitted.relief), _TINY)
    curved = _beyond_bending(fitted.relief, where.places, settings)
    chance = max(_beyond_bending(fitted.control, where.places, settings), _TINY)
    found = PerspectiveFinding(
        depth=fitted.perspective,
        error=settings.understated * fitted.perspective_error,
        clarity=fitted.explained / unexplained,
        expected=fitted.expected / unexplained,
        curved=curved / size,
        curved_clarity=curved / chance,
        growth=growth,
        frames=frames,
        points=len(where.places),
    )
    numbers = (found.clarity, found.expected, found.curved, found.curved_clarity)
    return found if all(map(math.isfinite, numbers)) else None


def _beyond_bending(
    relief: NDArray[np.float64], places: NDArray[np.float64], settings: PerspectiveSettings
) -> float:
    """Return the rest of a relief after the best fitting surface that is bent round one axis."""
    angles = np.arange(settings.axes) * np.pi / settings.axes
    return min(_beyond_axis(relief, places, float(angle), settings.bend_degree) for angle in angles)


def _beyond_axis(
    relief: NDArray[np.float64], places: NDArray[np.float64], angle: float, degree: int
) -> float:
    across = 2 * places @ np.array([math.cos(angle), math.sin(angle)])
    profile = across[:, None] ** np.arange(2, degree + 1)
    design = np.column_stack([np.ones(len(places)), places, profile])
    return _root_mean_square(relief - design @ np.linalg.lstsq(design, relief, rcond=None)[0])


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))


# Decides whether a head or a picture came closer, or whether the measurements do not suffice.
#
# This cannot detect a rigid mask, or a live video that is rendered in three dimensions: both have a head's
# relief and perspective. Express' signals and the device tests address them.


@dataclass(frozen=True, slots=True)
class CameCloserSettings:
    """The lines for a head and for a picture. They apply to the measurements of ``PerspectiveFinding``.

    Attributes:
        clear: The ``clarity`` from which there is a relief. On planes, a fitted relief explains less than
            half of the noise.
        curved: The least ``curved`` of a head. Heads have 0.3 to 0.7; bent paper has only the share that
            errors cause.
        curved_clear: The least ``curved_clarity`` of a head. Errors alone reach 1 to 2; three is beyond them.
        depth: The least ``depth`` of a head, beyond its errors (``sure``). Heads and lenses differ by a
            factor of two.
        sure: The number of standard errors by which a measured depth must exceed ``depth`` or stay below
            ``no_depth``.
        blame_growth: The growth of the face below which the finding is never a picture, because perspective
            is too small.
        no_relief: The ``clarity`` up to which there is no relief, if a head that does not turn would show at
            least ``expected``.
        expected: See ``no_relief``.
        not_curved: The ``curved`` up to which the relief is that of a bent sheet.
        no_depth: The ``depth`` up to which, beyond its errors (``sure``), there is no perspective.
    """

    clear: float
    curved: float
    curved_clear: float
    depth: float
    sure: float
    blame_growth: float
    no_relief: float
    expected: float
    not_curved: float
    no_depth: float


class ApproachKind(Enum):
    """The kind of object that came closer."""

    HEAD = auto()
    PICTURE = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class CameCloser:
    """The object that came closer.

    Attributes:
        detail: The reason, in plain words.
    """

    kind: ApproachKind
    detail: str


def classify_approach(seen: PerspectiveFinding | None, lines: CameCloserSettings) -> CameCloser:
    """Classify the object that came closer as a head or a flat picture, or as unsure.

    Args:
        seen: The finding of one approach, or of several together; ``None`` if none could be measured.
    """
    if seen is None:
        return CameCloser(
            ApproachKind.UNSURE, "The face could not be followed from the far oval to the near one."
        )
    if _is_head(seen, lines):
        return CameCloser(
            ApproachKind.HEAD, "The face has the relief of a head, and came closer as a head does."
        )
    picture = _as_picture(seen, lines)
    if picture is not None and seen.growth >= lines.blame_growth:
        return CameCloser(ApproachKind.PICTURE, picture)
    return CameCloser(ApproachKind.UNSURE, "Too little was measured to distinguish a head from a picture.")


def _is_head(seen: PerspectiveFinding, lines: CameCloserSettings) -> bool:
    relief = seen.clarity >= lines.clear
    curved = seen.curved >= lines.curved and seen.curved_clarity >= lines.curved_clear
    return relief and curved and seen.depth - lines.sure * seen.error >= lines.depth


def _as_picture(seen: PerspectiveFinding, lines: CameCloserSettings) -> str | None:
    """Return why it is a picture; ``None`` if that is not certain."""
    if seen.clarity <= lines.no_relief:
        flat = seen.expected >= lines.expected
        return "The face grew as a flat picture does." if flat else None
    if seen.clarity < lines.clear:
        return None
    if seen.curved <= lines.not_curved and seen.curved_clarity < lines.curved_clear:
        return "The face is curved round one axis only, as a bent sheet is."
    if seen.depth + lines.sure * seen.error <= lines.no_depth:
        return "The face turns as a head does, but grew as a flat picture: a video that is brought closer."
    return None


@dataclass(frozen=True, slots=True)
class MovementSettings:
    """The settings of the movement challenge. A *line* is the measurement at which a signal scores 0.5.

    Attributes:
        perspective: The parameters of the measurement of perspective.
        came_closer: The lines for a head and for a picture that came closer.
        zoom_line: The line of the ratio of two growths: that of the surroundings over that of the face. A
            result lists its signal, which decides nothing.
        steepness: The slope of the signals' scores at their lines.
    """

    perspective: PerspectiveSettings
    came_closer: CameCloserSettings
    zoom_line: float
    steepness: float
