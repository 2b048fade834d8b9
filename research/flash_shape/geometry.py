"""Predicts how this face answers this screen, from its landmarks and from where it is held."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.flash_shape.record import AnsweredScan

__all__ = ["FaceGeometry", "geometry_of"]

_CELL: Final = 2.6 / 16
_FIRST_ROW, _FIRST_COLUMN = 1, 3
_LEFT, _TOP = -1.3, -0.85
"""The side of a cell and the corner of the aligned face, eye distances, and the first row and column of
``FaceCells.places``; see ``liveness.dynamic.measurement.sampling`` and ``cells``."""
_EYE_DISTANCE: Final = 63.0
"""Of an adult, millimetres."""
_FOCAL: Final = 1.05
"""Focal length over the frame's width; as in ``liveness/dynamic/flash_model.toml``."""
_SCREEN: Final = (65.0, 140.0, 8.0)
"""Width and height of a screen, and its distance below the lens, millimetres."""
_ACROSS, _DOWN = (-0.25, 0.25), np.arange(0.1, 1.0, 0.2)
"""The points that stand for the screen, in its widths and heights."""
_REACH: Final = 0.13
"""How far landmarks count for the surface of a cell, eye distances."""
_STEEPEST: Final = 2.5
_GRAZING: Final = 0.02
"""The least cosine between a surface and the light, because skin does not end in black."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceGeometry:
    """The geometry of the measured cells.

    Attributes:
        x: Shape (k,): to the right of the middle between the eyes, eye distances.
        y: Shape (k,): below it.
        normals: Shape (k, 3): right, down and towards the camera.
        light: Shape (k,): the logarithm of the screen's illuminance, by Lambert's law.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    normals: NDArray[np.float64]
    light: NDArray[np.float64]


def geometry_of(scan: AnsweredScan) -> FaceGeometry:
    """Return the geometry of a scan whose landmarks have depth."""
    rows, columns = scan.places.astype(np.float64).T
    x = np.asarray(_LEFT + (columns + _FIRST_COLUMN + 0.5) * _CELL, np.float64)
    y = np.asarray(_TOP + (rows + _FIRST_ROW + 0.5) * _CELL, np.float64)
    heights, normals = _surface(scan.mesh, x, y)
    places = _EYE_DISTANCE * np.stack([x, y - float(np.median(y)), heights], axis=1)
    places[:, 2] -= _FOCAL * _EYE_DISTANCE / scan.eye_distance
    return FaceGeometry(x, y, normals, np.log(_lit(places, normals)))


def _surface(
    mesh: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cells' heights and normals: those of the quadratic that fits the landmarks near them."""
    fitted = np.zeros((len(x), 3))
    for cell, (cell_x, cell_y) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        across, down = mesh[:, 0] - cell_x, mesh[:, 1] - cell_y
        weights = np.exp(-(across**2 + down**2) / (2 * _REACH**2))
        curve = np.stack([np.ones_like(across), across, down, across**2, across * down, down**2], axis=1)
        known = curve.T @ (weights[:, None] * curve) + 1e-6 * np.eye(curve.shape[1])
        fitted[cell] = np.linalg.solve(known, curve.T @ (weights * mesh[:, 2]))[:3]
    slopes = fitted[:, 1:]
    steep = np.linalg.norm(slopes, axis=1, keepdims=True)
    slopes = slopes * np.minimum(1.0, _STEEPEST / np.maximum(steep, 1e-9))
    normals = np.column_stack([-slopes, np.ones(len(x))])
    return fitted[:, 0], normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _lit(places: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the illuminance of places in millimetres from the lens, in no unit, shape (k,)."""
    width, height, below = _SCREEN
    total = np.zeros(len(places))
    for down in _DOWN.tolist():
        for across in _ACROSS:
            ray = np.array([across * width, below + down * height, 0.0]) - places
            distance = np.linalg.norm(ray, axis=1)
            falls = np.maximum((ray * normals).sum(axis=1) / distance, _GRAZING)
            total += falls * ray[:, 2] / distance**3
    return total
