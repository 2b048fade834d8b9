"""The motion of a plane between two views: a homography, and where it takes a face."""

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import Box, DetectedFace
from vision.geometry import similarity_transform

FloatPoints = NDArray[np.float32]

MINIMUM_POINTS = 12
"""Points below which a homography (8 degrees of freedom) says nothing about the rest."""

_KEPT_SHARE = 0.8
_LARGEST_GROWTH = 1.25
"""How much larger or smaller a face may look after it was carried; beyond that a detector must look."""


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


def carry_face(face: DetectedFace, motion: NDArray[np.float64], scale: float) -> DetectedFace | None:
    """A face where the motion of its plane took it; ``None`` where that cannot be its place.

    The five points move as the plane does. The box keeps its shape: it is shifted and scaled as the
    points are on the whole.

    Args:
        face: In frame pixels.
        motion: The homography in view pixels.
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


def _fit(first: FloatPoints, second: FloatPoints) -> NDArray[np.float64] | None:
    try:
        found, _ = cv2.findHomography(first, second, 0)
    except cv2.error:
        return None
    homography: NDArray[np.float64] = np.asarray(found, np.float64)
    # Degenerate points give an empty matrix, or one that is not finite.
    return homography if homography.shape == (3, 3) and np.isfinite(homography).all() else None
