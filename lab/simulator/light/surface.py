"""Surfaces under light: how they reflect it, what share reaches the camera, and a person's albedo.

The albedo is estimated from one photo, by dividing out most of the photo's shading.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.geometry import Relief, Sight, Viewport
from lab.simulator.light.sources import (
    Ambient,
    AreaLight,
    from_linear,
    linear_table,
    luminance,
    melanin_factor,
)
from lab.simulator.person import Layout
from vision.face import BgrImage, Points

_WRAP = 0.25
_FLATTENING = 0.2
_COATED = 1 / (1 - 0.5**5) ** 2
"""Normalisation: a surface that faces light and camera is as bright as without the film."""


class Diffuse(StrEnum):
    """How a matt surface reflects light at an angle."""

    LAMBERT = "lambert"
    """The cosine law."""
    WRAPPED = "wrapped"
    """Light reaches a little beyond the terminator, as in skin, and the cosine is flattened as on a rough
    surface seen from the light (Oren and Nayar 1994)."""
    COATED = "coated"
    """Under a film that reflects light at an angle before it enters and before it leaves, as sebum on skin
    (Ashikhmin and Shirley 2000, without the share of the gloss)."""


@dataclass(frozen=True, slots=True)
class Material:
    """The surface of a subject.

    Attributes:
        diffuse: Model of its matt part.
        gloss: Reflectance at vertical incidence, 0..1: 0.028 for skin, 0.04 for glass and resin.
        sharpness: The lobe's exponent is 2 to this power: 4 for skin, 5 for resin, 8 for glass.
        emission: Luminance of its white in cd/m2; the colours of a screen emit light instead of reflecting
            it.
        albedo: Share of light that a surface that emits light reflects diffusely.
    """

    diffuse: Diffuse = Diffuse.LAMBERT
    gloss: float = 0.0
    sharpness: int = 4
    emission: float = 0.0
    albedo: float = 0.015


def diffuse_answer(
    model: Diffuse, vectors: NDArray[np.float32], normals: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the effective illuminance of a matt surface.

    Args:
        model: The law of reflection.
        vectors: Vector irradiance, shape (bands, 3, h, w), lux.
        normals: Unit normals, shape (3, h, w).

    Returns:
        Shape (bands, h, w), lux; times the albedo it is the light that the surface reflects.
    """
    along = vectors[:, 0] * normals[0] + vectors[:, 1] * normals[1] + vectors[:, 2] * normals[2]
    if model is Diffuse.LAMBERT:
        return np.asarray(np.maximum(along, 0), dtype=np.float32)
    whole = np.sqrt((vectors * vectors).sum(axis=1))
    if model is Diffuse.COATED:
        cosine = np.maximum(along, 0) / np.maximum(whole, np.float32(1e-12))
        let_in = 1 - (1 - cosine / 2) ** 5
        # The camera is nearly straight ahead.
        let_out = 1 - (1 - np.maximum(normals[2], 0) / 2) ** 5
        coated = np.float32(_COATED) * np.maximum(along, 0) * let_in * let_out
        return np.asarray(coated, dtype=np.float32)
    wrapped = np.maximum(along + np.float32(_WRAP) * whole, 0) / np.float32(1 + _WRAP)
    flattened = np.float32(1 - _FLATTENING) * wrapped + np.float32(_FLATTENING) * whole * (along > 0)
    return np.asarray(flattened, dtype=np.float32)


def gloss_answer(
    material: Material,
    vectors: NDArray[np.float32],
    halfway: NDArray[np.float32],
    normals: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the light that the gloss reflects to the camera; unit: ``diffuse_answer`` times an albedo.

    Blinn and Phong's lobe with the usual normalisation (n + 8) / 8 and Schlick's constant term; near vertical
    incidence Fresnel's rise is not modelled.

    Args:
        material: Gloss and sharpness.
        vectors: As for ``diffuse_answer``.
        halfway: Unit vectors halfway between light and camera, shape of ``vectors``.
        normals: As for ``diffuse_answer``.
    """
    along = np.maximum(
        vectors[:, 0] * normals[0] + vectors[:, 1] * normals[1] + vectors[:, 2] * normals[2], 0
    )
    lobe = np.maximum(halfway[:, 0] * normals[0] + halfway[:, 1] * normals[1] + halfway[:, 2] * normals[2], 0)
    for _ in range(material.sharpness):
        lobe = lobe * lobe
    strength = np.float32(material.gloss * (2**material.sharpness + 8) / 8)
    return np.asarray(strength * lobe * along, dtype=np.float32)


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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LitSurface:
    """Computes light maps of one relief.

    Normals are computed on the relief's grid, or on every second sample of it in large frames. The screen's
    vector irradiance varies slowly and is computed on every third of these samples.

    Attributes:
        viewport: Frame and lens.
        millimetres_per_pixel: Millimetres per pixel at the plane of depth 0.
        light: The phone's screen.
    """

    viewport: Viewport
    millimetres_per_pixel: float
    light: AreaLight
    ambient: Ambient
    material: Material

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
        scale = np.float32(self.millimetres_per_pixel)
        vectors, halfway = self._at_places(x * scale, y * scale, (z - lens) * scale)
        answers = [diffuse_answer(self.material.diffuse, vectors, normals)]
        if self.material.gloss > 0:
            answers.append(gloss_answer(self.material, vectors, halfway, normals))
        ambient = self.ambient.irradiance(np.moveaxis(normals, 0, -1))
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
        skip = max(1, round(_SPACING * self.viewport.width / Relief.grid_step()))
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
        zoom = np.float32(self.viewport.focal) / (lens - z)
        beside = points - np.stack([columns, rows], axis=1) * step
        seen = np.stack([x, y], axis=1) * zoom[:, None] + np.array(self.viewport.canvas_centre)
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
        few = self.light.vectors(few_x, few_y, few_z)
        vectors = _enlarge(few, (wide, tall))
        if self.material.gloss <= 0:
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


_DARKEST_SKIN, _LIGHTEST_SKIN = 0.12, 0.45
_STRENGTH = 0.8
_LEAST_SHADING, _MOST_SHADING = 0.4, 2.0
_ROUNDS = 3
_FOREHEAD = 0.42
# Colours count as skin up to the first squared distance from the face's, and decreasingly up to the second.
# The last numbers are the least spread (logarithms of blue/green, red/green and green).
_SAME, _OTHER = 9.0, 25.0
_LEAST_SPREAD = (0.08, 0.08, 0.20)


class AlbedoPaint:
    """Converts the photo on the canvas to albedo, sRGB-coded.

    Shading is modelled as a + b.n over the skin (spherical harmonics up to the first order, Basri and Jacobs
    2003) with the normals of the person's depth. Four fifths of it are divided out, because the fit also
    counts darker skin as shading. The lightness of the skin cannot be known from a photo: its brightness in
    the photo is used, clipped to the range of skin.
    """

    def __init__(self, *, melanin: float = 0.0) -> None:
        """Make a paint that adds ``melanin``, 0..1."""
        self._melanin = melanin

    def __call__(self, picture: BgrImage, layout: Layout) -> BgrImage:
        """Return the albedo of everything on the canvas."""
        light = linear_table()[picture]
        skin = _skin(layout.landmarks, picture.shape[:2])
        bare = _without_features(skin, layout.landmarks)
        shading = _shading(light, layout.depth, bare)
        wide, tall = picture.shape[1], picture.shape[0]
        soft = cv2.GaussianBlur(skin, (0, 0), 0.05 * layout.fit.pixels_per_millimetre * 63)
        shade = cv2.resize(shading, (wide, tall), interpolation=cv2.INTER_LINEAR)
        light = light / (1 + soft * (shade**_STRENGTH - 1))[..., None]
        own = float(np.median(luminance(light[bare > 0.5])))
        light = light * (float(np.clip(own, _DARKEST_SKIN, _LIGHTEST_SKIN)) / max(own, 1e-3))
        if self._melanin > 0:
            like = _like_skin(light, bare) * _without_eyes(layout.landmarks, picture.shape[:2])
            light = light * (1 + like[..., None] * (melanin_factor(self._melanin) - 1))
        return from_linear(light)


def _skin(points: Points, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a mask of the face and the lower forehead, 0 or 1."""
    tall = float(points[8, 1] - points[36:48, 1].mean())
    hull = cv2.convexHull(np.vstack([points, points[17:27] - (0, _FOREHEAD * tall)]).astype(np.float32))
    skin = np.zeros(shape, np.float32)
    cv2.fillConvexPoly(skin, np.round(hull).astype(np.int32), 1.0)
    return skin


def _like_skin(light: NDArray[np.float32], bare: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far each pixel has the colour of the face's skin, 0..1: neck and ears do, hair does not."""
    logs = np.log(np.maximum(light, 1e-3))
    # Brightness varies with shading; the two ratios of channels hardly vary.
    features = np.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1], logs[..., 1]], axis=-1)
    known = features[bare > 0.5]
    middle = np.median(known, axis=0)
    spread = 1.5 * np.median(np.abs(known - middle), axis=0) + np.array(_LEAST_SPREAD)
    away = (((features - middle) / spread) ** 2).sum(axis=-1)
    like = np.clip((_OTHER - away) / (_OTHER - _SAME), 0, 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(cv2.medianBlur(like, 5), (0, 0), 1.5), dtype=np.float32)


def _without_eyes(points: Points, shape: tuple[int, ...]) -> NDArray[np.float32]:
    kept = np.ones(shape, np.float32)
    for part in (slice(36, 42), slice(42, 48)):
        cv2.fillConvexPoly(kept, cv2.convexHull(np.round(points[part]).astype(np.int32)), 0.0)
    return np.asarray(cv2.GaussianBlur(kept, (0, 0), 1.5), dtype=np.float32)


def _without_features(skin: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
    kept = skin.copy()
    middle_of = (slice(36, 42), slice(42, 48), slice(48, 60), slice(17, 22), slice(22, 27))
    for part in middle_of:
        group = points[part]
        grown = group.mean(axis=0) + 1.35 * (group - group.mean(axis=0))
        around = np.concatenate([grown + np.array((0, y)) for y in (-4, 0, 4)])
        hull = cv2.convexHull(np.round(around).astype(np.int32))
        cv2.fillConvexPoly(kept, hull, 0.0)
    return kept


def _shading(
    light: NDArray[np.float32], depth: NDArray[np.float32], bare: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the shading over the relief's grid, 1 at its median over the skin."""
    rows, columns = depth.shape
    step = Relief.grid_step()
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32) * step, np.arange(rows, dtype=np.float32) * step)
    normals = np.moveaxis(normals_of(x, y, depth), 0, -1)
    basis = np.concatenate([np.ones((rows, columns, 1), np.float32), normals], axis=-1)
    small = cv2.resize(light, (columns, rows), interpolation=cv2.INTER_AREA)
    seen = luminance(np.asarray(small, dtype=np.float32))
    use = cv2.resize(bare, (columns, rows), interpolation=cv2.INTER_AREA) > 0.99
    known, values = basis[use], seen[use]
    if len(values) < 50:
        return np.ones((rows, columns), np.float32)
    kept = np.ones(len(values), bool)
    weights = np.zeros(4)
    for _ in range(_ROUNDS):
        weights, *_ = np.linalg.lstsq(known[kept], values[kept], rcond=None)
        error = np.abs(known @ weights - values)
        kept = error <= 2.5 * float(np.median(error)) + 1e-6
    fitted = basis @ weights
    middle = max(1e-3, float(np.median(fitted[use])))
    return np.clip(fitted / middle, _LEAST_SHADING, _MOST_SHADING).astype(np.float32)
