"""Makes a dense depth map of a head from a few known points."""

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.geometry.head_shape import HeadFit
from vision.face import Points

__all__ = ["head_depth"]

# Points of the head outside the 68 landmarks, in the head's own millimetres (see head_shape):
# forehead, hairline, crown, temples, and the cheeks between the landmark groups.
_FOREHEAD = ((0, -45, 12), (-28, -44, 6), (28, -44, 6), (-52, -40, -18), (52, -40, -18))
_HAIRLINE = ((0, -72, 0), (-35, -68, -12), (35, -68, -12), (-62, -52, -48), (62, -52, -48))
_CROWN = ((0, -112, -75), (-45, -100, -78), (45, -100, -78), (-72, -70, -80), (72, -70, -80))
_SIDES = ((-80, -25, -85), (80, -25, -85), (-80, 20, -88), (80, 20, -88), (-66, -12, -42), (66, -12, -42))
_CHEEKS = ((-40, 25, 3), (40, 25, 3), (-46, 45, -8), (46, 45, -8), (-30, 85, -4), (30, 85, -4))
_NECK = ((0, 125, -35), (-35, 125, -50), (35, 125, -50), (0, 160, -40), (-60, 115, -80), (60, 115, -80))
_ADDED = np.array(_FOREHEAD + _HAIRLINE + _CROWN + _SIDES + _CHEEKS + _NECK, dtype=np.float64)
_SMOOTHING_PIXELS = 4.8
# Rings around the head that hold the depth there, so that the spline does not rise again outside.
_RING_RADII = (150.0, 320.0)
_RING_CENTRE_BELOW_EYES = 15.0
_RING_POINTS = 16
_FAR_DEPTH = -80.0


def head_depth(landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int) -> NDArray[np.float32]:
    """Return the depth of a head over an image, towards the camera, in pixels.

    The depth is a thin-plate spline through the landmarks and through points of the generic head, clipped
    to the depths that a head has, and smoothed.

    Args:
        landmarks: Shape (68, 2), pixels.
        fit: The generic head that is fitted to them.
        size: Width and height of the image in pixels.
        step: Distance of the map's samples in pixels; sample (i, j) lies at ``step * (j, i)``.

    Returns:
        Shape (ceil(height / step), ceil(width / step)).
    """
    added = fit.place(_ADDED)
    # The rings are behind the face for every rotation of the head, so they are not rotated.
    rings = _rings() * fit.pixels_per_millimetre + np.array([*fit.centre, 0.0])
    places = np.vstack([landmarks.astype(np.float64), added[:, :2], rings[:, :2]])
    depths = np.concatenate([fit.depths, added[:, 2], rings[:, 2]])
    width, height = size
    columns = np.arange(0, width, step, dtype=np.float64)
    rows = np.arange(0, height, step, dtype=np.float64)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    dense = _thin_plate(places, depths, grid, smoothing=0.02).reshape(len(rows), len(columns))
    scale = fit.pixels_per_millimetre
    dense = np.clip(dense, 1.15 * _FAR_DEPTH * scale, float(depths.max()) * 1.02)
    smooth = cv2.GaussianBlur(dense.astype(np.float32), (0, 0), _SMOOTHING_PIXELS / step)
    return np.asarray(smooth, dtype=np.float32)


def _rings() -> NDArray[np.float64]:
    """Return points around the head, millimetres, shape (n, 3)."""
    angles = np.linspace(0, 2 * np.pi, _RING_POINTS, endpoint=False)
    level = np.full(_RING_POINTS, _FAR_DEPTH)
    return np.vstack(
        [
            np.stack(
                [radius * np.cos(angles), radius * np.sin(angles) + _RING_CENTRE_BELOW_EYES, level], axis=1
            )
            for radius in _RING_RADII
        ]
    )


def _thin_plate(
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    queries: NDArray[np.float64],
    *,
    smoothing: float,
) -> NDArray[np.float64]:
    """Interpolate by a thin-plate spline (Bookstein 1989) with a small smoothing term."""
    middle, spread = places.mean(axis=0), float(places.std())
    known, asked = (places - middle) / spread, (queries - middle) / spread
    count = len(known)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(known, known) + smoothing * np.eye(count)
    system[:count, count] = 1
    system[:count, count + 1 :] = known
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros(3)]))
    smooth = _kernel(asked, known) @ weights[:count]
    plane: NDArray[np.float64] = weights[count] + asked @ weights[count + 1 :]
    return plane + smooth


def _kernel(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    across = left[:, None, 0] - right[None, :, 0]
    down = left[:, None, 1] - right[None, :, 1]
    squared = across**2 + down**2
    result: NDArray[np.float64] = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return result
