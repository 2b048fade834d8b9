"""The phone's screen as an area light: the irradiance of its bands at places in front of it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulator.light.screen_light import PhoneSettings

__all__ = ["AreaLight", "Emission"]

FloatMap = NDArray[np.float32]
_NEAREST = 1e-6
_DIRECTIVITY = 1.5
"""Luminance is proportional to this power of the cosine of the angle of emission."""


class Emission(StrEnum):
    """How the light of a band is summed."""

    POINTS = "points"
    """Two points per band with inverse-square fall-off and the cosine of emission."""
    AREA = "area"
    """The exact integral over the band's rectangle (Lambert's formula for a polygon)."""
    DIRECTED = "directed"
    """Six points per band, as bright straight ahead and darker at an angle, as a liquid crystal display: half
    as bright at 51 degrees."""


@dataclass(frozen=True, slots=True)
class AreaLight:
    """A rectangle in the plane of the lens that faces the scene, cut into horizontal bands.

    Attributes:
        phone: The phone, with the size of the screen and its place below the lens.
        bands: Number of bands, top to bottom.
        emission: How their light is summed.
    """

    phone: PhoneSettings
    bands: int
    emission: Emission

    def vectors(self, x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
        """Return the vector irradiance of each band for a luminance of 1 cd/m2, in lux.

        Its dot product with a surface's normal is the illuminance of that surface, as long as the whole
        band is above the surface's horizon.

        Args:
            x: Places to the right of the lens, millimetres; all three arguments have the same shape.
            y: Places below the lens, millimetres.
            z: Height of the places towards the lens: the lens is at 0, places in front of it are negative.

        Returns:
            Shape (bands, 3, *shape): vectors towards the light, x, y and z.
        """
        match self.emission:
            case Emission.POINTS:
                return self._of_points(x, y, z, across=2)
            case Emission.DIRECTED:
                return self._of_points(x, y, z, across=6, directivity=_DIRECTIVITY)
            case Emission.AREA:
                return self._of_rectangles(x, y, z)

    def middles(self) -> NDArray[np.float32]:
        """Height of each band's middle below the lens, millimetres."""
        edges = self._edges()
        return np.asarray((edges[:-1] + edges[1:]) / 2, dtype=np.float32)

    def _edges(self) -> NDArray[np.float32]:
        phone = self.phone
        share = np.arange(self.bands + 1, dtype=np.float32) / self.bands
        return np.asarray(phone.below_camera_mm + phone.height_mm * share, dtype=np.float32)

    def _of_points(
        self, x: FloatMap, y: FloatMap, z: FloatMap, *, across: int, directivity: float = 0.0
    ) -> NDArray[np.float32]:
        area = self.phone.width_mm * self.phone.height_mm / self.bands / across
        sides = (np.arange(across) + 0.5) / across - 0.5
        result = np.zeros((self.bands, 3, *x.shape), np.float32)
        for band, middle in enumerate(self.middles()):
            for side in sides:
                to_x, to_y = np.float32(side * self.phone.width_mm) - x, middle - y
                squared = np.maximum(to_x * to_x + to_y * to_y + z * z, _NEAREST)
                # cos(emission) / d2 along the unit vector: one power of the distance for each, two for the
                # fall-off.
                share = np.float32(area) * np.maximum(-z, 0) / (squared * squared)
                if directivity:
                    share *= (z * z / squared) ** np.float32(directivity / 2)
                result[band, 0] += share * to_x
                result[band, 1] += share * to_y
                result[band, 2] -= share * z
        return result

    def _of_rectangles(self, x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
        half = np.float32(self.phone.width_mm / 2)
        edges = self._edges()
        rays = [[_unit(side - x, edge - y, -z) for side in (-half, half)] for edge in edges]
        across = [_edge(left, right) for left, right in rays]
        down = [[_edge(rays[i][side], rays[i + 1][side]) for side in (0, 1)] for i in range(self.bands)]
        # Clockwise around each band, from its top left corner.
        return np.stack(
            [across[i] + down[i][1] - across[i + 1] - down[i][0] for i in range(self.bands)]
        ) * np.float32(0.5)


def _unit(x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
    ray = np.stack(np.broadcast_arrays(x, y, z)).astype(np.float32)
    return np.asarray(ray / np.sqrt(np.maximum((ray * ray).sum(axis=0), _NEAREST)), dtype=np.float32)


def _edge(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one edge's contribution to the polygon integral: its angle times the normal of its plane."""
    normal = np.cross(first, second, axis=0)
    sine = np.sqrt((normal * normal).sum(axis=0))
    angle = np.arctan2(sine, (first * second).sum(axis=0))
    return np.asarray(normal * (angle / np.maximum(sine, _NEAREST)), dtype=np.float32)
