"""Fits the motion of a plane between two views, as a homography, and moves a face by it."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
    """Returns the homography from ``first`` to ``second``, by trimmed least squares.

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
    """Returns ``points``, shape (n, 2), moved by ``homography``."""
    moved, _ = _project(homography, points.astype(np.float64))
    return moved.astype(np.float32)


def carry_face(face: DetectedFace, motion: NDArray[np.float64], scale: float) -> DetectedFace | None:
    """Returns a face moved by the motion of its plane; ``None`` if the result is not plausible.

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
    """Returns the moved points, shape (n, 2), and their depths, shape (n,)."""
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
        """Returns the least-squares solution of all equations, or of those of ``kept`` with ``weights``."""
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
    """Returns the matrix that normalises the points to mean 0 and mean squared length 2, and the result."""
    middle = points.mean(axis=0)
    moved = points - middle
    scale = math.sqrt(2 / max(float((moved**2).sum(axis=1).mean()), _LEAST_SPREAD))
    matrix = np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])
    return matrix, moved * scale
