"""Small spontaneous movements of a face (lips, jaw, brows), as displacement fields."""

import numpy as np
from numpy.typing import NDArray

from vision.face import Points

__all__ = ["Expression"]

FloatMap = NDArray[np.float32]
# Landmark, direction (x, y), reach as a share of the eye distance.
_MOUTH = ((48, (-0.8, -0.5), 0.30), (54, (0.8, -0.5), 0.30), (51, (0.0, -0.25), 0.22))
_JAW = ((57, (0.0, 0.9), 0.28), (8, (0.0, 1.0), 0.45))
_BROWS = ((19, (0.0, -1.0), 0.30), (24, (0.0, -1.0), 0.30))


class Expression:
    """Converts movements of mouth, jaw and brows to a displacement field over an image."""

    def __init__(self, landmarks: Points, *, grid: tuple[FloatMap, FloatMap]) -> None:
        """Prepares the fields.

        Args:
            landmarks: Shape (68, 2), iBUG 300-W order, pixels.
            grid: x and y of the places of the field, pixels, both of one shape.
        """
        left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
        eye_distance = float(np.linalg.norm(right - left))
        self._fields = tuple(_field(landmarks, grid, group, eye_distance) for group in (_MOUTH, _JAW, _BROWS))

    def field(self, *, mouth: float, jaw: float, brows: float) -> tuple[FloatMap, FloatMap]:
        """Return the displacement to the right and down, pixels, each of the grid's shape.

        Args:
            mouth: Movement of the mouth's corners outwards and up, pixels.
            jaw: Movement of the lower lip and chin down, pixels.
            brows: Movement of the brows up, pixels.
        """
        amounts = (np.float32(mouth), np.float32(jaw), np.float32(brows))
        x = sum((a * f[0] for a, f in zip(amounts, self._fields, strict=True)), np.float32(0))
        y = sum((a * f[1] for a, f in zip(amounts, self._fields, strict=True)), np.float32(0))
        return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _field(
    landmarks: Points,
    grid: tuple[FloatMap, FloatMap],
    group: tuple[tuple[int, tuple[float, float], float], ...],
    eye_distance: float,
) -> tuple[FloatMap, FloatMap]:
    x, y = np.zeros_like(grid[0]), np.zeros_like(grid[0])
    for index, (right, down), reach in group:
        centre = landmarks[index]
        squared = (grid[0] - centre[0]) ** 2 + (grid[1] - centre[1]) ** 2
        weight = np.exp(-squared / (2 * (reach * eye_distance) ** 2))
        x += right * weight
        y += down * weight
    return x.astype(np.float32), y.astype(np.float32)
