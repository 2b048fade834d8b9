"""A relief under the screen's light: the share of each band that reaches the camera from each place."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.geometry.relief import Relief, Sight, Viewport
from simulator.light.ambient import Ambient
from simulator.light.area_light import AreaLight
from simulator.light.material import Material, diffuse_answer, gloss_answer

__all__ = ["LightMaps", "LitSurface", "normals_of"]

FloatMap = NDArray[np.float32]
_COARSE = 3
# Distance of the surface's samples as a share of the frame's width.
_SPACING = 1 / 60


@dataclass(frozen=True, slots=True)
class LightMaps:
    """Light over the frame, at a quarter of its resolution.

    Attributes:
        diffuse: Illuminance of each band's light for 1 cd/m2, shape (h, w, bands), lux.
        gloss: Light that the gloss reflects, shape (h, w, bands); None for a matt surface.
        ambient: Illuminance by the surrounding light, shape (h, w), lux.
        places: Positions of the requested points, canvas pixels, shape (n, 2).
    """

    diffuse: FloatMap
    gloss: FloatMap | None
    ambient: FloatMap
    places: FloatMap


def normals_of(x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
    """Return the unit normals towards the camera of a surface sampled on a grid, shape (3, h, w)."""
    right = [np.gradient(part, axis=1) for part in (x, y, z)]
    down = [np.gradient(part, axis=0) for part in (x, y, z)]
    normal = np.stack(
        [
            right[1] * down[2] - right[2] * down[1],
            right[2] * down[0] - right[0] * down[2],
            right[0] * down[1] - right[1] * down[0],
        ]
    )
    length = np.sqrt((normal * normal).sum(axis=0))
    return np.asarray(normal / np.maximum(length, 1e-9), dtype=np.float32)


class LitSurface:
    """Computes light maps of one relief.

    Normals are computed on the relief's grid, or on every second sample of it in large frames. The screen's
    vector irradiance varies slowly and is computed on every third of these samples.
    """

    def __init__(
        self,
        *,
        viewport: Viewport,
        millimetres_per_pixel: float,
        light: AreaLight,
        ambient: Ambient,
        material: Material,
    ) -> None:
        """Prepares the surface and the light.

        Args:
            viewport: Frame and lens.
            millimetres_per_pixel: Millimetres per pixel at the plane of depth 0.
            light: The phone's screen.
            ambient: The surrounding light.
            material: Material of the surface.
        """
        self._viewport = viewport
        self._scale = np.float32(millimetres_per_pixel)
        self._light = light
        self._ambient = ambient
        self._material = material

    def maps(self, sight: Sight, *, points: FloatMap | None = None) -> LightMaps:
        """Compute the light maps of a frame.

        Args:
            sight: The part of the canvas that the frame shows, and the place of the surface.
            points: Canvas places at rest to follow, shape (n, 2).
        """
        step, lens = np.float32(Relief.grid_step()), np.float32(sight.lens)
        look_x, look_y = _block_middles(sight.map_x) / step, _block_middles(sight.map_y) / step
        rows, columns = (
            self._seen(look_y, sight.space[0].shape[0]),
            self._seen(look_x, sight.space[0].shape[1]),
        )
        x, y, z = (part[rows, columns] for part in sight.space)
        look_x = (look_x - np.float32(columns.start)) / np.float32(columns.step)
        look_y = (look_y - np.float32(rows.start)) / np.float32(rows.step)
        normals = normals_of(x, y, z)
        vectors, halfway = self._at_places(x * self._scale, y * self._scale, (z - lens) * self._scale)
        answers = [diffuse_answer(self._material.diffuse, vectors, normals)]
        if self._material.gloss > 0:
            answers.append(gloss_answer(self._material, vectors, halfway, normals))
        ambient = self._ambient.irradiance(np.moveaxis(normals, 0, -1))
        warped = [_warp(answer, look_x, look_y) for answer in answers]
        return LightMaps(
            diffuse=warped[0],
            gloss=warped[1] if len(warped) > 1 else None,
            ambient=_warp(ambient[None], look_x, look_y)[..., 0],
            places=self._follow(
                np.zeros((0, 2), np.float32) if points is None else points, sight.space, lens
            ),
        )

    def _seen(self, look: FloatMap, count: int) -> slice:
        """Return the part of the grid that the frame shows, as coarse as the face's size allows."""
        skip = max(1, round(_SPACING * self._viewport.width / Relief.grid_step()))
        first = int(max(0, np.floor(look.min()) - 2 * skip))
        last = int(min(count, np.ceil(look.max()) + 2 * skip + 1))
        first = max(0, min(first, count - 2 * skip))
        return slice(first, max(last, first + 2 * skip), skip)

    def _follow(
        self, points: FloatMap, space: tuple[FloatMap, FloatMap, FloatMap], lens: np.float32
    ) -> FloatMap:
        """Return the positions of ``points`` on the canvas: those of the nearest samples of the grid."""
        step = Relief.grid_step()
        tall, wide = space[0].shape
        columns = np.clip(np.round(points[:, 0] / step), 0, wide - 1).astype(int)
        rows = np.clip(np.round(points[:, 1] / step), 0, tall - 1).astype(int)
        x, y, z = (part[rows, columns] for part in space)
        zoom = np.float32(self._viewport.focal) / (lens - z)
        beside = points - np.stack([columns, rows], axis=1) * step
        seen = np.stack([x, y], axis=1) * zoom[:, None] + np.array(self._viewport.canvas_centre)
        return np.asarray(seen + beside, dtype=np.float32)

    def _at_places(
        self, x: FloatMap, y: FloatMap, z: FloatMap
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vector irradiance and halfway vectors, both of shape (bands, 3, h, w)."""
        tall, wide = x.shape
        size = (-(-wide // _COARSE) + 1, -(-tall // _COARSE) + 1)
        few_x, few_y, few_z = (
            np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
            for part in (x, y, z)
        )
        few = self._light.vectors(few_x, few_y, few_z)
        vectors = _enlarge(few, (wide, tall))
        if self._material.gloss <= 0:
            return vectors, vectors
        away = np.stack([-few_x, -few_y, -few_z])
        view = away / np.maximum(np.sqrt((away * away).sum(axis=0)), 1e-6)
        lit = few / np.maximum(np.sqrt((few * few).sum(axis=1, keepdims=True)), 1e-12)
        half = lit + view
        half /= np.maximum(np.sqrt((half * half).sum(axis=1, keepdims=True)), 1e-6)
        return vectors, _enlarge(np.asarray(half, np.float32), (wide, tall))


def _block_middles(values: FloatMap) -> FloatMap:
    """Return the values in the middle of each block of 4 x 4 pixels; the maps are linear within a block."""
    tall, wide = (4 * (side // 4) for side in values.shape)
    whole = values[:tall, :wide]
    return np.asarray((whole[1::4, 1::4] + whole[2::4, 2::4]) / 2, dtype=np.float32)


def _enlarge(few: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    bands, parts, tall, wide = few.shape
    pixels = np.ascontiguousarray(few.reshape(bands * parts, tall, wide).transpose(1, 2, 0))
    large = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return np.ascontiguousarray(large.transpose(2, 0, 1)).reshape(bands, parts, size[1], size[0])


def _warp(planes: NDArray[np.float32], look_x: FloatMap, look_y: FloatMap) -> FloatMap:
    """Return ``planes`` (n, h, w) at the positions that the frame shows, as (h, w, n)."""
    seen = [
        cv2.remap(plane, look_x, look_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for plane in planes
    ]
    return np.asarray(cv2.merge(seen), dtype=np.float32).reshape(*look_x.shape, len(planes))
