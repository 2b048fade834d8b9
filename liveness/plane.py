"""The motion of a plane between two views: a homography."""

import cv2
import numpy as np
from numpy.typing import NDArray

FloatPoints = NDArray[np.float32]

MINIMUM_POINTS = 12
"""Points below which a homography (8 degrees of freedom) says nothing about the rest."""

_KEPT_SHARE = 0.8


def fit_plane_motion(first: FloatPoints, second: FloatPoints) -> NDArray[np.float64] | None:
    """The homography that takes ``first`` to ``second``, by trimmed least squares.

    Fitted twice: to all points, then to the 80 % that the first fit explains best, so that a few lost
    points do not bend it (least trimmed squares, Rousseeuw 1984, one concentration step).

    Args:
        first: Shape (n, 2), any unit.
        second: Shape (n, 2), the same unit.

    Returns:
        Shape (3, 3), or ``None`` where there are too few points or they do not determine a plane.
    """
    if len(first) < MINIMUM_POINTS:
        return None
    homography = _fit(first, second)
    if homography is None:
        return None
    left_over = np.linalg.norm(second - apply_plane_motion(homography, first), axis=1)
    kept = np.argsort(left_over)[: max(MINIMUM_POINTS, int(_KEPT_SHARE * len(first)))]
    refined = _fit(first[kept], second[kept])
    return homography if refined is None else refined


def apply_plane_motion(homography: NDArray[np.float64], points: FloatPoints) -> FloatPoints:
    """Where ``homography`` takes ``points``, shape (n, 2)."""
    lifted = np.concatenate([points.astype(np.float64), np.ones((len(points), 1))], axis=1) @ homography.T
    depth = np.where(np.abs(lifted[:, 2:]) < 1e-9, 1e-9, lifted[:, 2:])
    moved: FloatPoints = (lifted[:, :2] / depth).astype(np.float32)
    return moved


def _fit(first: FloatPoints, second: FloatPoints) -> NDArray[np.float64] | None:
    try:
        found, _ = cv2.findHomography(first, second, 0)
    except cv2.error:
        return None
    homography: NDArray[np.float64] = np.asarray(found, np.float64)
    # Degenerate points give an empty matrix, or one that is not finite.
    return homography if homography.shape == (3, 3) and np.isfinite(homography).all() else None
