"""A generic human head: 68 landmarks in three dimensions, fitted to the landmarks of a photo."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.face import Points

__all__ = ["HeadFit", "fit_head", "generic_landmarks"]

# Millimetres; x to the image's right, y down, z towards the camera; the origin lies between the
# eyes. One half of a symmetric adult head of 63 mm eye distance: a table of round numbers, plausible to a
# few millimetres, which is as exact as a generic head can be. Index: (x, y, z).
_HALF: dict[int, tuple[float, float, float]] = {
    0: (-74, 2, -75), 1: (-72, 21, -72), 2: (-68, 41, -68), 3: (-63, 60, -60), 4: (-56, 77, -44),
    5: (-46, 89, -29), 6: (-35, 97, -16), 7: (-21, 102, -1), 8: (0, 105, 7),
    17: (-53, -16, -8), 18: (-46, -21, 1), 19: (-38, -23, 6), 20: (-28, -22, 10), 21: (-17, -20, 12),
    27: (0, -3, 16), 28: (0, 5, 22), 29: (0, 13, 27), 30: (0, 20, 33),
    31: (-16, 41, 12), 32: (-9, 41, 18), 33: (0, 42, 23),
    36: (-45, 1, -8), 37: (-36, -4, 0), 38: (-27, -4, 1), 39: (-18, 1, -2), 40: (-27, 4, 0), 41: (-36, 4, -2),
    48: (-24, 65, 6), 49: (-16, 59, 16), 50: (-8, 55, 21), 51: (0, 57, 23),
    57: (0, 73, 19), 58: (-8, 72, 18), 59: (-16, 70, 14),
    60: (-20, 65, 8), 61: (-8, 62, 17), 62: (0, 62, 19), 66: (0, 64, 18), 67: (-8, 64, 17),
}  # fmt: skip
_MIRRORED = (
    {i: 16 - i for i in range(9, 17)}
    | {i: 43 - i for i in range(22, 27)}
    | {34: 32, 35: 31}
    | {42: 39, 43: 38, 44: 37, 45: 36, 46: 41, 47: 40}
    | {52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 63: 61, 64: 60, 65: 67}
)


def generic_landmarks() -> NDArray[np.float64]:
    """Return the generic head's landmarks: x right, y down, z to the camera, millimetres, shape (68, 3)."""
    shape = np.empty((68, 3))
    for index, position in _HALF.items():
        shape[index] = position
    for index, twin in _MIRRORED.items():
        shape[index] = shape[twin] * (-1, 1, 1)
    return shape


@dataclass(frozen=True, slots=True)
class HeadFit:
    """The generic head, fitted to a face.

    Attributes:
        pixels_per_millimetre: Scale at the plane of the eyes.
        rotation: Shape (3, 3), from head to camera axes (x right, y down, z towards the camera).
        centre: Image position of the point between the eyes, shape (2,), pixels.
        depths: Height of each landmark above the plane of the eyes towards the camera, shape (68,),
            pixels.
    """

    pixels_per_millimetre: float
    rotation: NDArray[np.float64]
    centre: NDArray[np.float64]
    depths: NDArray[np.float64]

    def place(self, head_points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the camera positions (x, y, depth) in pixels of ``head_points`` in millimetres, (n, 3)."""
        camera = head_points @ self.rotation.T * self.pixels_per_millimetre
        camera[:, :2] += self.centre
        return camera

    def places(self, size: tuple[int, int], *, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the offsets of an image's samples from the point between the eyes, in millimetres.

        Args:
            size: Width and height of the image in pixels.
            step: Distance of the samples in pixels.
        """
        width, height = size
        columns = np.arange(0, width, step, dtype=np.float64)
        rows = np.arange(0, height, step, dtype=np.float64)
        x, y = np.meshgrid(columns, rows)
        scale = self.pixels_per_millimetre
        return (x - self.centre[0]) / scale, (y - self.centre[1]) / scale


def fit_head(landmarks: Points) -> HeadFit:
    """Fits the generic head to ``landmarks`` by a scaled orthographic projection.

    The 2 x 3 projection is found by least squares and made orthonormal by a singular value decomposition
    (the first step of DeMenthon and Davis 1995, "Model-based object pose in 25 lines of code").

    Args:
        landmarks: Shape (68, 2), iBUG 300-W order, pixels.
    """
    shape = generic_landmarks()
    middle = shape.mean(axis=0)
    observed_middle = landmarks.astype(np.float64).mean(axis=0)
    solution, *_ = np.linalg.lstsq(shape - middle, landmarks - observed_middle, rcond=None)
    left, singular, right = np.linalg.svd(solution.T, full_matrices=False)
    rows = left @ right
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    scale = float(singular.mean())
    centre = observed_middle - scale * (rotation[:2] @ middle)
    return HeadFit(
        pixels_per_millimetre=scale,
        rotation=rotation,
        centre=centre,
        depths=scale * (shape @ rotation[2]),
    )
