"""Follows points of face and background from view to view, and fits the motion of a plane to them."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.extent import FaceExtent, face_extent
from liveness.observation import GreyView, RegionChange
from vision.face import Box, DetectedFace
from vision.geometry import similarity_transform

FloatPoints = NDArray[np.float32]

MINIMUM_POINTS = 12
"""The least number of points. With fewer, a homography (8 degrees of freedom) explains any motion."""

_KEPT_SHARE = 0.8
_LEAST_DEPTH = 1e-9
_LEAST_SPREAD = 1e-12
_LEAST_PIVOT = 1e-6
"""The least ratio of pivots of equations that determine a plane; points on a line give about 1e-8."""
_LARGEST_GROWTH = 1.25
"""The factor by which a followed face may grow or shrink. Beyond it the face must be detected again."""


def fit_plane_motion(first: FloatPoints, second: FloatPoints) -> NDArray[np.float64] | None:
    """Return the homography from ``first`` to ``second``, by trimmed least squares.

    It is fitted twice: to all points, then to the 80 % that the first fit explains best, so that a few lost
    points do not distort it (least trimmed squares, Rousseeuw 1984, one concentration step). The second fit
    divides each point's equations by its depth in the first, which turns the algebraic error into distances
    (Hartley and Zisserman, Multiple View Geometry, 2nd ed., 4.2).

    Args:
        first: Shape (n, 2), any unit.
        second: Shape (n, 2), the same unit.

    Returns:
        Shape (3, 3), or ``None`` if there are too few points or they do not determine a plane.
    """
    if len(first) < MINIMUM_POINTS:
        return None
    equations = _PlaneEquations(first.astype(np.float64), second.astype(np.float64))
    homography = equations.solve()
    if homography is None:
        return None
    moved, depth = _project(homography, first.astype(np.float64))
    left_over = ((second - moved) ** 2).sum(axis=1)
    count = max(MINIMUM_POINTS, int(_KEPT_SHARE * len(first)))
    kept = np.argpartition(left_over, count - 1)[:count]
    refined = equations.solve(kept, 1 / depth[kept])
    return homography if refined is None else refined


def apply_plane_motion(homography: NDArray[np.float64], points: FloatPoints) -> FloatPoints:
    """Return ``points``, shape (n, 2), moved by ``homography``."""
    moved, _ = _project(homography, points.astype(np.float64))
    return moved.astype(np.float32)


def carry_face(face: DetectedFace, motion: NDArray[np.float64], scale: float) -> DetectedFace | None:
    """Return a face moved by the motion of its plane; ``None`` if the result is not plausible.

    The five points move with the plane. The box keeps its shape: it is shifted and scaled by the mean motion
    of the points.

    Args:
        face: The face, frame pixels.
        motion: The homography, view pixels.
        scale: View pixels per frame pixel.
    """
    points = apply_plane_motion(motion, face.five_points * np.float32(scale)) / np.float32(scale)
    if not np.isfinite(points).all():
        return None
    moved = similarity_transform(face.five_points, points)
    growth = math.hypot(moved[0, 0], moved[1, 0])
    if not 1 / _LARGEST_GROWTH <= growth <= _LARGEST_GROWTH:
        return None
    x, y = moved @ np.array([*face.box.centre, 1.0])
    across, down = growth * face.box.width / 2, growth * face.box.height / 2
    box = Box(float(x - across), float(y - down), float(x + across), float(y + down))
    return replace(face, box=box, five_points=points)


def _project(
    homography: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the moved points, shape (n, 2), and their depths, shape (n,)."""
    lifted = points @ homography[:, :2].T + homography[:, 2]
    depth = np.where(np.abs(lifted[:, 2]) < _LEAST_DEPTH, _LEAST_DEPTH, lifted[:, 2])
    return lifted[:, :2] / depth[:, None], depth


class _PlaneEquations:
    """Two linear equations per pair of points for the eight free entries of a homography.

    The points are first normalised, without which the equations are badly conditioned (R. Hartley, "In
    defense of the eight-point algorithm", IEEE PAMI 19(6), 1997).
    """

    def __init__(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        self._to_one, one = _normalised(first)
        self._to_other, other = _normalised(second)
        x, y, u, v = one[:, 0], one[:, 1], other[:, 0], other[:, 1]
        self._rows = np.zeros((len(one), 2, 8))
        self._rows[:, 0, 0] = self._rows[:, 1, 3] = x
        self._rows[:, 0, 1] = self._rows[:, 1, 4] = y
        self._rows[:, 0, 2] = self._rows[:, 1, 5] = 1
        self._rows[:, 0, 6], self._rows[:, 0, 7] = -u * x, -u * y
        self._rows[:, 1, 6], self._rows[:, 1, 7] = -v * x, -v * y
        self._seen = other

    def solve(
        self, kept: NDArray[np.intp] | None = None, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64] | None:
        """Return the least-squares solution of all equations, or of those of ``kept`` with ``weights``."""
        rows, seen = (self._rows, self._seen) if kept is None else (self._rows[kept], self._seen[kept])
        if weights is not None:
            rows, seen = rows * weights[:, None, None], seen * weights[:, None]
        rows = rows.reshape(-1, 8)
        normal = rows.T @ rows
        try:
            pivots = np.linalg.cholesky(normal).diagonal()
            if pivots.min() < _LEAST_PIVOT * pivots.max():
                return None
            found = np.linalg.solve(normal, rows.T @ seen.ravel())
        except np.linalg.LinAlgError:
            return None
        homography: NDArray[np.float64] = np.asarray(
            np.linalg.solve(self._to_other, np.append(found, 1.0).reshape(3, 3) @ self._to_one), np.float64
        )
        return homography if np.isfinite(homography).all() else None


def _normalised(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix that normalises the points to mean 0 and mean squared length 2, and the result."""
    middle = points.mean(axis=0)
    moved = points - middle
    scale = math.sqrt(2 / max(float((moved**2).sum(axis=1).mean()), _LEAST_SPREAD))
    matrix = np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])
    return matrix, moved * scale


_FACE_POINTS = 80
_FACE_QUALITY = 0.005
_BACKGROUND_POINTS = 24
_BACKGROUND_QUALITY = 0.01
_WINDOW = (15, 15)
_LEVELS = 1
_FAR_LEVELS = 2
"""The number of levels for a fast head, which moves too far for ``_LEVELS``. Those nearly always suffice and
take 0.7 of the time."""
_BACK_LEVELS = 0
"""The number of levels for tracking back, which starts at the expected result and needs no coarser levels."""
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02)
_LARGEST_RETURN_ERROR = 1.0
_LARGEST_DIFFERENCE = 20.0
"""The largest mean difference, grey levels, between the windows around a point in the first and in the later
view. On 19 live clips, 98 of 100 points that were followed over an eighth of a second stay below it. If
another of these persons was cut in, aligned by the eyes, at most 26 % of the points were found; without this
limit, 35 %."""

_BORDER = 6
_FEWEST_POINTS = 16
_SMALLEST_FACE = 40
"""The margin of a view in which no point is chosen, view pixels; the least number of points to estimate a
motion; the least width of a face whose points are tracked, view pixels."""

# The regions in which points are chosen, relative to the face's width and height:
_INSIDE = 0.42, 0.46
"""The half axes of the ellipse inside which points belong to the face."""
_OUTSIDE = 0.75, 0.8
"""The half axes of the ellipse outside which points belong to the background."""
_FACE_SPACING, _BACKGROUND_SPACING = (3.0, 0.05), (4.0, 0.1)
"""The least distances between points: the larger of view pixels and face widths."""
_FEWEST_CORNERS = 20
"""The least number of points on a face that is followed."""

# The parts of a face that can move independently, as half axes of ellipses:
_EYE, _AROUND_EYE = (0.28, 0.17), (0.42, 0.34)
"""An eye, and the region around it that does not count as the rest; over the distance between the eyes."""
_MOUTH, _AROUND_MOUTH = (0.6, 0.4), (0.8, 0.6)
"""The same of the mouth; over the distance between its corners."""
_MIDDLE, _WHOLE = (0.5, 0.52), (0.40, 0.44)
"""The middle and the half axes of the region that counts as face, over the face's box."""
_SMALLEST_BOX = 20
"""The least side of that box, view pixels."""
_FEWEST_OF_PART, _FEWEST_OF_REST = 8, 60
"""The least number of view pixels of an eye or the mouth, and of the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackingStart:
    """The view in which points were chosen.

    Attributes:
        points: Shape (n, 2): the points, view pixels.
        on_face: Shape (n,): whether a point is on the face, not on the background.
        centre: The face's centre, view pixels.
        face_width: The face's width, view pixels.
        parts: The face's parts, for comparison with later views.
    """

    view: GreyView
    points: FloatPoints
    on_face: NDArray[np.bool_]
    centre: FloatPoints
    face_width: float
    parts: "FaceParts"


@dataclass(frozen=True, slots=True, eq=False)
class FaceParts:
    """The parts of a face in one view, cut out around the face.

    Attributes:
        left: x of the cut-out, view pixels.
        top: y of the cut-out, view pixels.
        detail: The fine structure of the cut-out, without slow shading.
        eyes: The left and the right eye.
        rest: Forehead, nose and cheeks.
    """

    left: int
    top: int
    detail: NDArray[np.float32]
    eyes: tuple["FacePart", "FacePart"]
    mouth: "FacePart"
    rest: "FacePart"


@dataclass(frozen=True, slots=True, eq=False)
class FacePart:
    """One part of a face.

    Attributes:
        around: Rows and columns of the cut-out that hold the part.
        mask: 1 on the part, in these rows and columns; 0 elsewhere.
        slope: Mean squared gradient of the cut-out's detail on the part.
    """

    around: tuple[slice, slice]
    mask: NDArray[np.uint8]
    slope: float


def start_tracking(view: GreyView, face: DetectedFace, scale: float) -> TrackingStart | None:
    """Choose points to follow; return ``None`` if the face has too little texture or is too small.

    Points are corners (Shi and Tomasi 1994): up to 80 on the face, well inside its outline, which hair and
    background occlude; and up to 24 in the background.

    Args:
        face: The face, in frame pixels.
        scale: View pixels per frame pixel.
    """
    height, width = view.shape
    extent = face_extent(face)
    face_width, face_height = extent.width * scale, extent.height * scale
    if face_width < _SMALLEST_FACE:
        return None
    x, y = extent.x * scale, extent.y * scale
    inside = np.zeros_like(view)
    cv2.ellipse(
        inside,
        (round(x), round(y)),
        (round(_INSIDE[0] * face_width), round(_INSIDE[1] * face_height)),
        0, 0, 360, 255, -1,
    )  # fmt: skip
    outside = np.zeros_like(view)
    outside[_BORDER : height - _BORDER, _BORDER : width - _BORDER] = 255
    cv2.ellipse(
        outside,
        (round(x), round(y)),
        (round(_OUTSIDE[0] * face_width), round(_OUTSIDE[1] * face_height)),
        0, 0, 360, 0, -1,
    )  # fmt: skip
    on_face = _corners_near(view, inside, extent, scale, max(_FACE_SPACING[0], _FACE_SPACING[1] * face_width))
    parts = _face_parts(view, face, scale)
    if len(on_face) < _FEWEST_CORNERS or parts is None:
        return None
    around = _corners_around(view, outside, max(_BACKGROUND_SPACING[0], _BACKGROUND_SPACING[1] * face_width))
    points = np.concatenate([on_face, around])
    return TrackingStart(
        view=view,
        points=points,
        on_face=np.arange(len(points)) < len(on_face),
        centre=np.array([x, y], np.float32),
        face_width=face_width,
        parts=parts,
    )


def follow(
    start: TrackingStart, view: GreyView, guess: FloatPoints, *, far: bool = False
) -> tuple[FloatPoints, NDArray[np.float32]]:
    """Find the starting points in a later view (pyramidal Lucas-Kanade, Bouguet 2000).

    Args:
        view: The later view, of the same size.
        guess: Shape (n, 2): the last known positions, view pixels.
        far: Whether the points may have moved by more than 14 view pixels since.

    Returns:
        The positions, shape (n, 2), NaN for lost points, and the forward-backward error (Kalal 2010), shape
        (n,), view pixels. A point is lost if tracking it back misses its start by more than a pixel, or if
        its surroundings differ too much from those in the first view.
    """
    found, seen, difference = _flow(start.view, view, start.points, guess, _FAR_LEVELS if far else _LEVELS)
    back, returned, _ = _flow(view, start.view, found, start.points, _BACK_LEVELS)
    missed = back - start.points
    error: NDArray[np.float32] = np.hypot(missed[:, 0], missed[:, 1])
    lost = ~seen | ~returned | (error > _LARGEST_RETURN_ERROR) | (difference > _LARGEST_DIFFERENCE)
    found[lost] = np.nan
    error[lost] = np.nan
    return found, error


def plane_motion(start: TrackingStart, found: FloatPoints) -> NDArray[np.float64] | None:
    """Return the homography, view pixels, that best explains the face's points; ``None`` without one."""
    usable = start.on_face & np.isfinite(found[:, 0])
    if usable.sum() < _FEWEST_POINTS:
        return None
    return fit_plane_motion(start.points[usable], found[usable])


def region_change(start: TrackingStart, view: GreyView, motion: NDArray[np.float64]) -> RegionChange:
    """Compare the face's parts with the starting view, after alignment by ``motion``."""
    parts = start.parts
    height, width = parts.detail.shape
    shift = np.array([[1, 0, parts.left], [0, 1, parts.top], [0, 0, 1]], np.float64)
    laid_over = cv2.warpPerspective(
        view,
        motion @ shift,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    change = np.subtract(laid_over, parts.detail, dtype=np.float32)
    change *= change

    def displacement(part: FacePart) -> float:
        squared = cv2.mean(change[part.around], part.mask)[0]
        return math.sqrt(squared / (part.slope + 1.0)) / start.face_width

    return RegionChange(
        eyes=max(displacement(parts.eyes[0]), displacement(parts.eyes[1])),
        mouth=displacement(parts.mouth),
        rest=displacement(parts.rest),
    )


def _flow(
    first: GreyView, second: GreyView, points: FloatPoints, guess: FloatPoints, levels: int
) -> tuple[FloatPoints, NDArray[np.bool_], NDArray[np.float32]]:
    found, seen, difference = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points.reshape(-1, 1, 2),
        guess.reshape(-1, 1, 2).copy(),
        winSize=_WINDOW,
        maxLevel=levels,
        criteria=_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return (
        np.asarray(found, np.float32).reshape(-1, 2),
        np.asarray(seen).ravel() != 0,
        np.asarray(difference, np.float32).ravel(),
    )


def _corners(
    view: GreyView, mask: GreyView, count: int, spacing: float, quality: float, *, block: int = 5
) -> FloatPoints:
    found = cv2.goodFeaturesToTrack(view, count, quality, spacing, mask=mask, blockSize=block)
    # A view without corners gives None, which OpenCV's type stubs do not state.
    points: FloatPoints = np.asarray(() if np.ndim(found) == 0 else found, np.float32).reshape(-1, 2)
    return points


def _corners_around(view: GreyView, mask: GreyView, spacing: float) -> FloatPoints:
    """Return corners beside the face, searched at half the size: they are few, and need not be exact."""
    height, width = view.shape
    size = width // 2, height // 2
    halved = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    found = _corners(halved, inside, _BACKGROUND_POINTS, spacing / 2, _BACKGROUND_QUALITY, block=3)
    return found * np.float32(2.0) + np.float32(0.5)


def _corners_near(
    view: GreyView, mask: GreyView, extent: FaceExtent, scale: float, spacing: float
) -> FloatPoints:
    """Return corners on the face, searched only in its extent."""
    height, width = view.shape
    left, right = max(0, int(extent.left * scale)), min(width, int(extent.right * scale) + 1)
    top, bottom = max(0, int(extent.top * scale)), min(height, int(extent.bottom * scale) + 1)
    if right - left < _BORDER or bottom - top < _BORDER:
        return np.empty((0, 2), np.float32)
    around = slice(top, bottom), slice(left, right)
    found = _corners(
        np.ascontiguousarray(view[around]),
        np.ascontiguousarray(mask[around]),
        _FACE_POINTS,
        spacing,
        _FACE_QUALITY,
    )
    return found + np.array([left, top], np.float32)


def _face_parts(view: GreyView, face: DetectedFace, scale: float) -> FaceParts | None:
    height, width = view.shape
    extent = face_extent(face)
    left, top = max(0, int(extent.left * scale)), max(0, int(extent.top * scale))
    right, bottom = min(width, int(extent.right * scale)), min(height, int(extent.bottom * scale))
    if min(right - left, bottom - top) < _SMALLEST_BOX:
        return None
    points = face.five_points.astype(np.float64) * scale - (left, top)
    apart = float(np.linalg.norm(points[1] - points[0]))
    lips = float(np.linalg.norm(points[4] - points[3]))
    shape = (bottom - top, right - left)

    def ellipse(centre: NDArray[np.float64], across: float, down: float) -> NDArray[np.bool_]:
        drawn = np.zeros(shape, np.uint8)
        at = (round(float(centre[0])), round(float(centre[1])))
        cv2.ellipse(drawn, at, (max(2, round(across)), max(2, round(down))), 0, 0, 360, 1, -1)
        return drawn.astype(bool)

    eyes = tuple(ellipse(points[which], _EYE[0] * apart, _EYE[1] * apart) for which in (0, 1))
    middle = (points[3] + points[4]) / 2
    mouth = ellipse(middle, _MOUTH[0] * lips, _MOUTH[1] * lips)
    around = [ellipse(points[which], _AROUND_EYE[0] * apart, _AROUND_EYE[1] * apart) for which in (0, 1)]
    around.append(ellipse(middle, _AROUND_MOUTH[0] * lips, _AROUND_MOUTH[1] * lips))
    middle_of_all = np.array([_MIDDLE[0] * shape[1], _MIDDLE[1] * shape[0]])
    whole = ellipse(middle_of_all, _WHOLE[0] * shape[1], _WHOLE[1] * shape[0])
    rest = whole & ~np.logical_or.reduce(around)
    if min(eyes[0].sum(), eyes[1].sum(), mouth.sum()) < _FEWEST_OF_PART or rest.sum() < _FEWEST_OF_REST:
        return None
    detail = view[top:bottom, left:right].astype(np.float32)
    across = np.asarray(cv2.Sobel(detail, cv2.CV_32F, 1, 0, scale=1 / 8), np.float32)
    down = np.asarray(cv2.Sobel(detail, cv2.CV_32F, 0, 1, scale=1 / 8), np.float32)
    slope = across**2 + down**2

    def part(mask: NDArray[np.bool_]) -> FacePart:
        around = _rows_and_columns(mask)
        return FacePart(
            around=around,
            mask=np.ascontiguousarray(mask[around]).astype(np.uint8),
            slope=float(slope[mask].mean()),
        )

    return FaceParts(
        left=left,
        top=top,
        detail=detail,
        eyes=(part(eyes[0]), part(eyes[1])),
        mouth=part(mouth),
        rest=part(rest),
    )


def _rows_and_columns(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the smallest rectangle that contains a mask, which must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
