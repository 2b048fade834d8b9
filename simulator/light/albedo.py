"""Estimates the albedo of a person from one photo, by dividing out most of the photo's shading."""

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.geometry.relief import Relief
from simulator.light.colour import from_linear, linear_table, luminance, melanin_factor
from simulator.light.lit_surface import normals_of
from simulator.person import Layout
from vision.face import BgrImage, Points

__all__ = ["AlbedoPaint"]

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
        """Makes a paint that adds ``melanin``, 0..1."""
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
